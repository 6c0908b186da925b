-- Schema version 4: what a card is not used for, how often a day, and what its stripe must say.

ALTER TABLE card ADD COLUMN forbids TEXT NOT NULL DEFAULT '';        -- words of bank/qualifications.py, by comma
ALTER TABLE card ADD COLUMN daily_count_max INTEGER;                 -- debits a day; NULL = any number
ALTER TABLE card ADD COLUMN discretionary_sealed BLOB;               -- of track 2; NULL = not looked at
CREATE INDEX payment_card_day ON payment (pan_sealed, received_at);
