"""The FastAGI side: tone menus and words for those who wait, over one socket per caller."""
