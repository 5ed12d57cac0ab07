"""Figures and pages, from plain arrays and records: the only room that knows matplotlib.

``plots`` has one file a figure; ``page`` has the records of a report; ``html`` turns them into one
self-contained file. Nothing here computes an error rate: numbers come in, pictures go out.
"""

import os
import sys

from facelign.files.home import home_folder

# matplotlib lists the machine's fonts in a file of its own; it belongs with what facelign keeps,
# unless a folder was named or the library is in use already
if "matplotlib" not in sys.modules and not os.environ.get("MPLCONFIGDIR"):
    os.environ["MPLCONFIGDIR"] = str(home_folder().absolute() / "cache" / "matplotlib")
