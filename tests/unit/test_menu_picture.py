"""The picture in the docs is what `ivrd menu show` draws of the sample."""

from pathlib import Path

from ivrd import config
from ivrd.menu_svg import menu_svg

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_picture_in_the_docs_is_of_the_sample() -> None:
    settings = config.load(REPOSITORY / "config" / "ivrd.toml", with_secrets=False)
    picture = (REPOSITORY / "docs" / "pictures" / "menu-tree.svg").read_text(encoding="utf-8")
    assert picture == menu_svg(settings, settings.lines), (
        "run `ivrd menu show --config config/ivrd.toml --svg docs/pictures/menu-tree.svg`"
    )
