"""Several connections for one file, where a single one does not fill the pipe.

`division` decides and puts the file together, `fetch` runs the connections, `plan` says who fetches what, `growth` how
many there should be, and on a `shelf` bytes wait for their turn.
"""
