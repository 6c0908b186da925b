-- Schema version 5: the seal, what all rows of all other tables sum up to (bank/seal.py). One row, once it is sealed.

CREATE TABLE seal (
    value BLOB NOT NULL
);
