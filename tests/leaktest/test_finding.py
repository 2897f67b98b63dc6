"""How a finding shows itself."""

from dataclasses import replace

from memanalysis.capture.holders import HolderChain
from memanalysis.leaktest.finding import ContainerGrowth, LeakFinding, LeakSite, TypeGrowth

FINDING = LeakFinding(
    name="shop.checkout",
    is_leak=True,
    shape="growing",
    origin="python",
    bytes_per_call=1536.0,
    low=1500.0,
    high=1600.0,
    blocks_per_call=3.0,
    min_bytes_per_call=1.0,
    calls=12_402,
    duration_s=3.04,
    sites=(
        LeakSite(
            file="/srv/" + "deep/" * 20 + "cart.py",
            line=12,
            function="Cart.add",
            bytes_per_call=1400.0,
            blocks_per_call=2.0,
            traceback=(("/srv/shop/views.py", 3), ("/srv/shop/cart.py", 12)),
        ),
    ),
    types=(TypeGrowth(type="shop.<Cart>", objects_per_call=1.0),),
    containers=(ContainerGrowth(text="shop.CARTS -> dict", entries_per_call=1.0, remaining_capacity=None),),
    holders=(HolderChain("shop.CARTS -> dict -> shop.<Cart>", 50, 1.0),),
    sentence="A leak: each call keeps 1.5 KiB (1.5 KiB to 1.6 KiB); it rose at 12 of 12 readings.",
)

TEXT = """\
shop.checkout: A leak: each call keeps 1.5 KiB (1.5 KiB to 1.6 KiB); it rose at
12 of 12 readings.
12,402 calls in 3.0 s

bytes a call, by the line that allocates
     1.4 KiB  .../deep/deep/deep/deep/deep/deep/deep/deep/cart.py:12 in Cart.add

objects a call, by type
          +1  shop.<Cart>

entries a call, by the container that grows
          +1  shop.CARTS -> dict

held by
        100%  shop.CARTS -> dict -> shop.<Cart>

way to the first (most recent call last)
  /srv/shop/views.py:3
  /srv/shop/cart.py:12"""


def test_the_text_fits_eighty_columns_and_has_all_tables():
    assert str(FINDING) == TEXT
    assert max(map(len, TEXT.splitlines())) <= 80


def test_what_comes_from_the_program_is_escaped_in_html():
    html = replace(FINDING, name="<script>alert(1)</script>")._repr_html_()

    assert "<script>" not in html
    assert "shop.&lt;Cart&gt;" in html
    assert "color" not in html


def test_line_breaks_of_the_program_do_not_break_the_lines():
    text = str(replace(FINDING, types=(TypeGrowth(type="a\nb", objects_per_call=2.0),)))

    assert "+2  a b" in text
