"""Objects and the garbage collector as in a plain process."""
import gc

print(gc.isenabled(), gc.get_threshold(), gc.callbacks, gc.get_freeze_count() == 0)
