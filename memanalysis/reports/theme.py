"""Declare the colours of charts, pages and notebooks once, for light and dark.

Lines take the Okabe-Ito palette, darkened or lightened until each reads on its background; severities go from pale to
strong, so that their order is seen without hue. None of them stands without a word.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

__all__ = ["CSS_COLOURS", "DARK", "LIGHT", "ChartColours", "render_css_variables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartColours:
    """Colours of a chart by their meaning."""

    text: str
    grid: str
    series: str
    line: str
    budget: str
    mark: str
    site_1: str
    site_2: str
    site_3: str
    site_4: str
    site_5: str

    @property
    def sites(self) -> tuple[str, ...]:
        """Colours of the lines of `draw_sites`, in order."""
        return (self.site_1, self.site_2, self.site_3, self.site_4, self.site_5)


LIGHT = ChartColours(
    text="#3c434b",
    grid="#d5d9de",
    series="#0072b2",
    line="#b34700",
    budget="#9b1b5a",
    mark="#6a737d",
    site_1="#b34700",
    site_2="#0072b2",
    site_3="#00785a",
    site_4="#9b1b5a",
    site_5="#7a6a00",
)
DARK = ChartColours(
    text="#c6cdd5",
    grid="#343c46",
    series="#56b4e9",
    line="#f0a04b",
    budget="#e08bb8",
    mark="#9aa4af",
    site_1="#f0a04b",
    site_2="#56b4e9",
    site_3="#3ecfa3",
    site_4="#e08bb8",
    site_5="#e5d24c",
)
CSS_COLOURS = ChartColours(**{field.name: f"#0a0b{at:02x}" for at, field in enumerate(fields(ChartColours))})
"""Placeholders that a picture for a page has in place of colours; ``var(--ma-series)`` takes that of ``series``."""

_PAGE_LIGHT = {"ink": "#1b1f24", "soft": "#57606a", "rule": "#d5d9de", "paper": "#ffffff", "shade": "#e9ecef"}
_PAGE_DARK = {"ink": "#e6eaef", "soft": "#a3adb8", "rule": "#3a424c", "paper": "#14181d", "shade": "#2b333c"}

_SEVERITY_LIGHT = {
    "none": ("#1b4b7a", "#e3eef9"),
    "low": ("#5c4a00", "#fdf3c7"),
    "medium": ("#7a3d00", "#ffe4c2"),
    "high": ("#ffffff", "#b34700"),
    "critical": ("#ffffff", "#6d0f3c"),
    "unknown": ("#3c434b", "#e6e9ec"),
}
"""Ink and paper of each severity."""

_SEVERITY_DARK = {
    "none": ("#bcdcf7", "#18354f"),
    "low": ("#f7e69a", "#463b08"),
    "medium": ("#ffd09a", "#57330a"),
    "high": ("#1d0d00", "#f0a04b"),
    "critical": ("#2a0416", "#f29cc3"),
    "unknown": ("#c6cdd5", "#333b44"),
}

_DARK_PLACES = (
    '[data-jp-theme-light="false"] .memanalysis',
    ".vscode-dark .memanalysis",
    '[data-theme="dark"] .memanalysis',
)
"""How JupyterLab and Notebook, VS Code, and documentation themes mark that they are dark."""


def render_css_variables() -> str:
    """Rules that give every colour its CSS variable, by the theme of the reader."""
    light = _rule(LIGHT, _PAGE_LIGHT, _SEVERITY_LIGHT)
    dark = _rule(DARK, _PAGE_DARK, _SEVERITY_DARK)
    return (
        f".memanalysis {light}\n"
        f".ma-page {{ background: {_PAGE_LIGHT['paper']}; }}\n"
        f"@media (prefers-color-scheme: dark) {{\n.ma-page {{ background: {_PAGE_DARK['paper']}; }}\n"
        f".ma-page .memanalysis {dark}\n}}\n"
        f"{', '.join(_DARK_PLACES)} {dark}\n"
    )


def _rule(chart: ChartColours, page: Mapping[str, str], severity: Mapping[str, tuple[str, str]]) -> str:
    colours = {name.replace("_", "-"): colour for name, colour in asdict(chart).items()} | dict(page)
    for name, (ink, paper) in severity.items():
        colours |= {f"{name}-ink": ink, f"{name}-paper": paper}
    return "{ " + " ".join(f"--ma-{name}: {colour};" for name, colour in colours.items()) + " }"
