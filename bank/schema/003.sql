-- Schema version 3: merchants from the application on, fees and payouts.
-- SQLite changes no CHECK of a table: `account` and `merchant` are written anew.

CREATE TABLE account_3 (
    account_id    INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    kind          TEXT NOT NULL CHECK (kind IN ('cardholder', 'merchant', 'clearing', 'payout', 'income')),
    currency      TEXT NOT NULL,
    balance_minor INTEGER NOT NULL DEFAULT 0      -- kept equal to the sum of its entries; Ledger.verify() checks
) STRICT;
INSERT INTO account_3 SELECT * FROM account;
DROP TABLE account;
ALTER TABLE account_3 RENAME TO account;

CREATE TABLE merchant_3 (
    mid        TEXT PRIMARY KEY CHECK (length(mid) = 15),
    name       TEXT NOT NULL,
    name_local TEXT NOT NULL DEFAULT '',
    status     TEXT NOT NULL CHECK (
        status IN ('applied', 'in_review', 'rejected', 'active', 'suspended', 'closed')
    ),
    account_id INTEGER NOT NULL REFERENCES account,
    rate       TEXT NOT NULL DEFAULT 'standard',      -- of bank/rates.toml
    -- Where its money is paid to: the number as the HSM seals it, its last four digits, its holder.
    payout_account_sealed BLOB,
    payout_account_end    TEXT NOT NULL DEFAULT '',
    payout_holder         TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO merchant_3 (mid, name, name_local, status, account_id)
    SELECT mid, name, name_local, status, account_id FROM merchant;
DROP TABLE merchant;
ALTER TABLE merchant_3 RENAME TO merchant;

-- What it may do, in the words of bank/qualifications.py.
CREATE TABLE merchant_qualification (
    mid  TEXT NOT NULL REFERENCES merchant,
    name TEXT NOT NULL,
    PRIMARY KEY (mid, name)
) STRICT, WITHOUT ROWID;
INSERT INTO merchant_qualification
    SELECT mid, word.name FROM merchant, (
        SELECT 'purchase' AS name UNION SELECT 'balance' UNION SELECT 'refund' UNION SELECT 'preauth'
        UNION SELECT 'offline' UNION SELECT 'tips' UNION SELECT 'manual' UNION SELECT 'foreign'
    ) AS word;

-- Papers: where they are kept, and what was seen of them.
CREATE TABLE merchant_document (
    mid       TEXT NOT NULL REFERENCES merchant,
    kind      TEXT NOT NULL,                          -- identity, licence, contract ...
    reference TEXT NOT NULL,                          -- its number, or its place in the archive
    sha256    TEXT NOT NULL CHECK (length(sha256) = 64),
    PRIMARY KEY (mid, kind, reference)
) STRICT;

CREATE TABLE merchant_event (
    event_id   INTEGER PRIMARY KEY,
    mid        TEXT NOT NULL REFERENCES merchant,
    at         TEXT NOT NULL,
    event      TEXT NOT NULL,
    state_then TEXT NOT NULL,                         -- the state that it led to
    by_whom    TEXT NOT NULL,
    reason     TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX merchant_event_mid ON merchant_event (mid);

-- Money that went to a merchant's own account. Its payments name it; one that was reversed afterwards is taken
-- off a later payout, which it names as its correction.
CREATE TABLE payout (
    payout_id        INTEGER PRIMARY KEY,
    mid              TEXT NOT NULL REFERENCES merchant,
    paid_at          TEXT NOT NULL,
    debit_count      INTEGER NOT NULL,
    debit_minor      INTEGER NOT NULL,
    credit_count     INTEGER NOT NULL,
    credit_minor     INTEGER NOT NULL,
    correction_minor INTEGER NOT NULL,
    fee_minor        INTEGER NOT NULL,
    net_minor        INTEGER NOT NULL
) STRICT;
CREATE INDEX payout_mid ON payout (mid);
ALTER TABLE payment ADD COLUMN payout_id INTEGER REFERENCES payout;
ALTER TABLE payment ADD COLUMN fee_minor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payment ADD COLUMN correction_id INTEGER REFERENCES payout;
CREATE INDEX payment_payout ON payment (mid, payout_id);
