"""`make bench`: how fast the parts are, measured on this machine.

Each module here measures one thing; `tools.bench.catalogue` lists them. To add one: write a module with a
function that returns Measurements, and add its line to the catalogue.
"""
