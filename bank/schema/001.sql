-- Schema version 1: cards, merchants, terminals, payments, books. Later files change it (see `bank.store`).
-- Times are the bank's own clock face as ISO text (2026-05-21T09:30:15), so that text order is time order.
-- Amounts are minor units. Columns called *_sealed hold values enciphered by the HSM under the master key.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;

-- Entries are signed from the account's point of view: positive adds to what the bank owes its owner.
CREATE TABLE account (
    account_id    INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    kind          TEXT NOT NULL CHECK (kind IN ('cardholder', 'merchant', 'clearing')),
    currency      TEXT NOT NULL,
    balance_minor INTEGER NOT NULL DEFAULT 0      -- kept equal to the sum of its entries; Ledger.verify() checks
) STRICT;

CREATE TABLE merchant (
    mid        TEXT PRIMARY KEY CHECK (length(mid) = 15),
    name       TEXT NOT NULL,
    name_local TEXT NOT NULL DEFAULT '',
    status     TEXT NOT NULL CHECK (status IN ('active', 'closed')),
    account_id INTEGER NOT NULL REFERENCES account
) STRICT;

CREATE TABLE terminal (
    mid        TEXT NOT NULL REFERENCES merchant,
    tid        TEXT NOT NULL CHECK (length(tid) = 8),
    tmk_index  INTEGER NOT NULL,
    tmk_sealed BLOB NOT NULL,
    batch      TEXT NOT NULL CHECK (length(batch) = 6),
    signed_in  INTEGER NOT NULL DEFAULT 0 CHECK (signed_in IN (0, 1)),
    key_layout TEXT,
    pik_sealed BLOB,
    mak_sealed BLOB,
    tdk_sealed BLOB,
    PRIMARY KEY (mid, tid)
) STRICT;

-- Sealing is deterministic, so the sealed PAN is its own index: the file alone names no card.
CREATE TABLE card (
    pan_sealed         BLOB PRIMARY KEY,
    name               TEXT NOT NULL UNIQUE,
    holder             TEXT NOT NULL,
    expiry_yymm        TEXT NOT NULL CHECK (length(expiry_yymm) = 4),
    service_code       TEXT NOT NULL CHECK (length(service_code) = 3),
    status             TEXT NOT NULL,
    pin_offset         TEXT NOT NULL,
    pin_required       INTEGER NOT NULL DEFAULT 1 CHECK (pin_required IN (0, 1)),
    pin_tries_used     INTEGER NOT NULL DEFAULT 0,
    pin_tries_limit    INTEGER NOT NULL,
    amount_limit_minor INTEGER,
    account_id         INTEGER NOT NULL REFERENCES account
) STRICT;

-- One row for each message of a terminal that asked for something, approved or not, under the key that makes
-- it unique. A reversal has no row of its own: it changes the row it reverses, or leaves a 'forestalled' one.
CREATE TABLE payment (
    payment_id      INTEGER PRIMARY KEY,
    mid             TEXT NOT NULL,
    tid             TEXT NOT NULL,
    batch           TEXT NOT NULL,
    trace           TEXT NOT NULL,
    kind            TEXT NOT NULL,
    processing_code TEXT NOT NULL,
    amount_minor    INTEGER NOT NULL,
    pan_sealed      BLOB,
    received_at     TEXT NOT NULL,
    rrn             TEXT NOT NULL,
    auth_code       TEXT,
    response_code   TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('approved', 'declined', 'reversed', 'forestalled')),
    reversal_reason TEXT,
    original_id     INTEGER REFERENCES payment,   -- what a verification or completion refers to
    digest          BLOB NOT NULL,                -- of the request, to tell a repeat from a reused key
    reply           BLOB NOT NULL,
    UNIQUE (mid, tid, batch, trace)
) STRICT;
CREATE INDEX payment_original ON payment (original_id);
CREATE INDEX payment_auth_code ON payment (mid, auth_code);

CREATE TABLE hold (
    hold_id      INTEGER PRIMARY KEY,
    account_id   INTEGER NOT NULL REFERENCES account,
    payment_id   INTEGER NOT NULL UNIQUE REFERENCES payment,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    state        TEXT NOT NULL CHECK (state IN ('open', 'completed', 'released', 'expired')),
    pin_state    TEXT NOT NULL DEFAULT 'unseen' CHECK (pin_state IN ('unseen', 'wrong', 'verified')),
    opened_at    TEXT NOT NULL,
    expires_at   TEXT NOT NULL
) STRICT;
CREATE INDEX hold_account ON hold (account_id, state);
CREATE INDEX hold_expiry ON hold (state, expires_at);

CREATE TABLE posting (
    posting_id INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL,
    payment_id INTEGER REFERENCES payment,
    booked_at  TEXT NOT NULL
) STRICT;
CREATE INDEX posting_payment ON posting (payment_id);

CREATE TABLE entry (
    posting_id   INTEGER NOT NULL REFERENCES posting,
    account_id   INTEGER NOT NULL REFERENCES account,
    amount_minor INTEGER NOT NULL CHECK (amount_minor <> 0),
    PRIMARY KEY (posting_id, account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_account ON entry (account_id);
