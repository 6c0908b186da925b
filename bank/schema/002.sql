-- Schema version 2: how a terminal protects its messages, what of a payment was moved, and settlement.

-- Where that is not UnionPay's custom. Some databases of version 1 have it already.
CREATE TABLE IF NOT EXISTS terminal_security (
    mid           TEXT NOT NULL,
    tid           TEXT NOT NULL,
    key_scheme    TEXT NOT NULL,
    mac_algorithm TEXT NOT NULL,
    bdk_sealed    BLOB,                       -- DUKPT: the key from which the terminal's keys are derived
    PRIMARY KEY (mid, tid),
    FOREIGN KEY (mid, tid) REFERENCES terminal
) STRICT;

-- amount_minor is what was asked for; moved_minor what was moved or held, 0 unless it was approved.
ALTER TABLE payment ADD COLUMN moved_minor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payment ADD COLUMN organisation TEXT NOT NULL DEFAULT '';   -- of the card, as field 63.1 names it
UPDATE payment SET moved_minor = amount_minor WHERE state IN ('approved', 'reversed');
UPDATE payment SET organisation = 'CUP' WHERE pan_sealed IS NOT NULL;   -- version 1 knew no others
CREATE INDEX payment_rrn ON payment (mid, rrn);

ALTER TABLE hold ADD COLUMN completion_max_minor INTEGER NOT NULL DEFAULT 0;
UPDATE hold SET completion_max_minor = amount_minor;

-- A batch that was settled, or is being settled. One that is not here is open.
CREATE TABLE batch (
    mid            TEXT NOT NULL,
    tid            TEXT NOT NULL,
    batch          TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('claimed', 'closed')),
    claimed        TEXT NOT NULL,             -- field 48 of the terminal's 0500, its result digits at 0
    booked         TEXT NOT NULL,             -- the same from this bank's register
    domestic       INTEGER NOT NULL,          -- the results: 1 balanced, 2 not balanced, 3 error
    "foreign"      INTEGER NOT NULL,
    records_told   INTEGER,                   -- how many records the terminal says it has uploaded
    claimed_at     TEXT NOT NULL,
    closed_at      TEXT,
    PRIMARY KEY (mid, tid, batch),
    FOREIGN KEY (mid, tid) REFERENCES terminal
) STRICT;

-- What was uploaded, a row a record. A message that comes again replaces what it brought before.
CREATE TABLE upload (
    mid           TEXT NOT NULL,
    tid           TEXT NOT NULL,
    batch         TEXT NOT NULL,
    message_trace TEXT NOT NULL,              -- field 11 of the 0320
    record        INTEGER NOT NULL,           -- its place in the message
    kind          TEXT NOT NULL CHECK (kind IN ('detail', 'advice', 'certificate', 'failed')),
    trace         TEXT NOT NULL,              -- of the transaction
    card_kind     TEXT NOT NULL,              -- 00 domestic, 01 foreign
    amount_minor  INTEGER NOT NULL,
    pan_sealed    BLOB,
    PRIMARY KEY (mid, tid, batch, message_trace, record)
) STRICT;

-- The last status that a terminal has uploaded (0820, 362), as it was sent.
CREATE TABLE terminal_status (
    mid         TEXT NOT NULL,
    tid         TEXT NOT NULL,
    received_at TEXT NOT NULL,
    status      TEXT NOT NULL,
    PRIMARY KEY (mid, tid),
    FOREIGN KEY (mid, tid) REFERENCES terminal
) STRICT;

-- What a terminal is asked to do, by the processing requirement of its answers' header, until it has done it.
CREATE TABLE terminal_demand (
    mid     TEXT NOT NULL,
    tid     TEXT NOT NULL,
    demand  TEXT NOT NULL CHECK (length(demand) = 1),
    PRIMARY KEY (mid, tid, demand),
    FOREIGN KEY (mid, tid) REFERENCES terminal
) STRICT;

ALTER TABLE card ADD COLUMN approval_code TEXT NOT NULL DEFAULT '00';    -- or a flawed success
ALTER TABLE card ADD COLUMN partial_approval INTEGER NOT NULL DEFAULT 0 CHECK (partial_approval IN (0, 1));
