-- How a terminal protects its messages, where that is not UnionPay's custom. Laid out whenever a database is
-- opened: one that was made before this table was thought of gets it, and its terminals go on as before.
CREATE TABLE IF NOT EXISTS terminal_security (
    mid           TEXT NOT NULL,
    tid           TEXT NOT NULL,
    key_scheme    TEXT NOT NULL,
    mac_algorithm TEXT NOT NULL,
    bdk_sealed    BLOB,                       -- DUKPT: the key from which the terminal's keys are derived
    PRIMARY KEY (mid, tid),
    FOREIGN KEY (mid, tid) REFERENCES terminal
) STRICT;
