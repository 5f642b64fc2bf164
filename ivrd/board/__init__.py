"""Static files of the pages: no code of ours runs here, and nothing is built."""
