"""What did this cell do to memory, and who keeps what it made: the room below the ``%memwatch`` magic.

One cell measured (``measure``), every cell watched (``session``), whose line an allocation is (``lines``), what a cell
is called (``names``), who keeps a result alive (``holders``), and how it is all shown (``show``). The room knows
IPython's shell as an object that it is handed; only ``memanalysis.magic`` imports IPython.
"""
