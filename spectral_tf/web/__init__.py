"""Pages for a browser: one self-contained file that tells what a folder of results holds.

`write_report(folder)` makes `report.html` of what stands in a run folder, and of nothing else, so
that it can be made again at any time, also of a folder that somebody else has made.
`write_comparison(folders, file)` lays several of one experiment beside each other. A page needs
neither network nor server: figures, data and programs are in it. Without JavaScript headline,
figures and tables are all there.

The program that draws is uPlot (MIT), in `static/uplot` with its licence.
"""

from spectral_tf.web.comparison import write_comparison
from spectral_tf.web.contents import REPORT, Contents, read_contents
from spectral_tf.web.page import output_file, write_page, write_report

__all__ = [
    "REPORT",
    "Contents",
    "output_file",
    "read_contents",
    "write_comparison",
    "write_page",
    "write_report",
]
