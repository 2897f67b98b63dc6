"""Measure and watch the cells of a notebook: the package below the ``%memwatch`` magic.

``measure`` measures one cell, ``session`` watches every cell, ``lines`` attributes allocations to lines, ``names``
names cells, ``cell_holders`` finds who holds a result, and ``show`` renders it all. The package knows IPython's shell
as an object that it is handed; only ``memanalysis.magic`` imports IPython.
"""
