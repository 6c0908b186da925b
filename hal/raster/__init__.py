"""Dots: the font, text in cells, pictures. Pure; shared by the displays and printers of all backends."""
