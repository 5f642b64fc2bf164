"""What is configured is what the core is told."""

from datetime import timedelta

from ivrd import rules
from ivrd.config import Config, MenuConfig
from ivrd.core.ids import MenuName
from ivrd.core.menu import ChoiceName, Menu


def test_a_menu_is_told_with_every_key() -> None:
    section = MenuConfig.model_validate(
        {
            "name": "main",
            "prompt": "huvudmeny",
            "invalid_prompt": "fel",
            "choices": {
                "1": "vaxel",
                "10": {"menu": "va"},
                "112": {"number": "0846500405"},
                "3": {"announcement": "oppettider"},
                "8": {"slow": True},
                "9": {"language": "en"},
            },
            "stay_choice": "kc",
            "failure_choice": {"menu": "hjalp"},
            "stay_after_s": 7,
            "digit_s": 2,
            "tries": 4,
            "repeat_key": "*",
            "back_key": "#",
            "slow_factor": 3,
        }
    )
    menu = Menu(
        name=MenuName("main"),
        prompt="ivrd/huvudmeny",
        invalid_prompt="ivrd/fel",
        choices={
            "1": ChoiceName("vaxel"),
            "10": ChoiceName("menu:va"),
            "112": ChoiceName("number:0846500405"),
            "3": ChoiceName("say:oppettider"),
            "8": ChoiceName("slow"),
            "9": ChoiceName("language:en"),
        },
        stay_choice=ChoiceName("kc"),
        stay_after=timedelta(seconds=7),
        tries=4,
        failure_choice=ChoiceName("menu:hjalp"),
        digit_after=timedelta(seconds=2),
        repeat_key="*",
        back_key="#",
        slow_factor=3,
    )
    assert rules.menus(Config.model_construct(menus=(section,))) == {menu.name: menu}


def test_what_a_menu_leaves_out_is_left_out() -> None:
    section = MenuConfig.model_validate(
        {"name": "main", "prompt": "huvudmeny", "choices": {"1": "vaxel"}, "stay_choice": "kc"}
    )
    [menu] = rules.menus(Config.model_construct(menus=(section,))).values()
    assert (menu.invalid_prompt, menu.failure_choice) == (None, None)
    assert (menu.repeat_key, menu.back_key) == (None, None)
    assert menu.slow_factor == 2
