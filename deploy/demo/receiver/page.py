"""What a person sees who opens the receiver in a browser."""

from collections.abc import Sequence
from html import escape
from typing import Any, Final, Literal

from deploy.demo.receiver.arrivals import Arrival

Language = Literal["en", "ja"]

_WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "title": "What arrived from Renkei",
        "explanation": "This is the system of another municipality. Each line is a webhook whose"
        " signature was good; a message that came twice is shown once.",
        "at": "Arrived (UTC)",
        "member": "For",
        "what": "What happened",
        "about": "About",
        "nothing": "Nothing has arrived yet.",
        "other": "日本語",
    },
    "ja": {
        "title": "Renkeiから届いた通知",
        "explanation": "これは他の自治体のシステムです。各行は署名を確認できたWebhookで、"
        "重複して届いた通知は一度だけ表示します。",
        "at": "受信日時（UTC）",
        "member": "宛先",
        "what": "出来事",
        "about": "対象",
        "nothing": "まだ何も届いていません。",
        "other": "English",
    },
}
_SHOWN: Final = 200
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border-bottom:1px solid #ccc;padding:.4rem .8rem .4rem 0;text-align:left}"
)


def language_of(accepted: str) -> Language:
    """Choose from an Accept-Language header."""
    return "ja" if accepted.strip().lower().startswith("ja") else "en"


def page(arrivals: Sequence[Arrival], language: Language) -> str:
    """Show the newest arrivals first."""
    words = {name: escape(text) for name, text in _WORDS[language].items()}
    heads = "".join(f'<th scope="col">{words[name]}</th>' for name in _COLUMNS)
    newest = list(reversed(arrivals))[:_SHOWN]
    rows = "".join(_row(arrival, language) for arrival in newest)
    table = (
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else f"<p>{words['nothing']}</p>"
    )
    other = "en" if language == "ja" else "ja"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="refresh" content="5"><title>{words["title"]}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{words['title']}</h1>"
        f'<p>{words["explanation"]} <a href="?lang={other}" lang="{other}">{words["other"]}</a></p>'
        f"{table}</body></html>"
    )


_COLUMNS: Final = ("at", "member", "what", "about")


def _row(arrival: Arrival, language: Language) -> str:
    cells = (
        arrival.received_at[:19].replace("T", " "),
        arrival.hook,
        str(arrival.body.get("type", "")).removeprefix("renkei.").rpartition(".v")[0],
        _about(arrival.body, language),
    )
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _about(body: dict[str, Any], language: Language) -> str:
    """Name the thing by title or name where it has one."""
    state = body.get("data", {}).get("state", {})
    texts = state.get("title") or state.get("name")
    if isinstance(texts, dict) and texts:
        return str(texts.get(language) or next(iter(texts.values())))
    return str(state.get("member") or body.get("subject", ""))
