"""The FastAGI side: tone menus over one socket per caller."""
