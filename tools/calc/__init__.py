"""The payment calculator, `posterm calc`: calculations below, one file of commands a subject above."""
