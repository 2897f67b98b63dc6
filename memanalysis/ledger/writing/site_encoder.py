"""How a row of ``sites`` becomes a line: a site that its file describes already is not described again."""

import marshal

from memanalysis.ledger.jsonl import DESCRIPTION, DESCRIPTION_NUMBER
from memanalysis.ledger.writing.row_encoder import encode_cells
from memanalysis.ledger.writing.segment_rotation import Shard
from memanalysis.schema import Row

__all__ = ["encode_site"]


def encode_site(row: Row, shard: Shard, described: dict[str, int]) -> str:
    """Write a row of ``sites`` but for its beginning; what its shard holds of the site already is left out."""
    site_id = row.get("site_id")
    description = {name: row[name] for name in DESCRIPTION if row.get(name) is not None}
    rest = encode_cells("sites", {name: value for name, value in row.items() if name not in DESCRIPTION})
    if type(site_id) is str and site_id.isascii() and (digest := _digest(description)) is not None:
        rest += f',"{DESCRIPTION_NUMBER}":{digest & 0xFFFFFFFF}'
        if digest == (described.get(site_id) or shard.find_description(site_id)):
            return f",{rest}}}\n"
        described[site_id] = digest
        if not description:
            return f',{rest},"traceback":null}}\n'  # unknown, and later lines may show it in short
    cells = ",".join(filter(None, (rest, encode_cells("sites", description))))
    return f",{cells}}}\n" if cells else "}\n"


def _digest(description: dict[str, object]) -> int | None:
    """Hash of a description, ten times quicker than making it text; None of one of other than plain values."""
    try:
        return hash(marshal.dumps(description, 0))  # version 0: equal values give equal bytes
    except ValueError:
        return None
