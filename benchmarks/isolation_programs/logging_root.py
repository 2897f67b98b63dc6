"""The program's own logging, with one handler and the default level."""
import logging

logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
logging.warning("mine")
logging.info("not shown")
print(len(logging.getLogger().handlers), logging.getLogger().level)
