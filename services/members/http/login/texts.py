"""What the pages say, in each language that they know."""

from collections.abc import Mapping
from typing import Final, Literal

Language = Literal["en", "ja"]

LANGUAGES: Final[Mapping[Language, str]] = {"en": "English", "ja": "日本語"}

Texts = Mapping[str, str]

TEXTS: Final[Mapping[Language, Texts]] = {
    "en": {
        "platform": "Renkei",
        "login": "Log in",
        "login_lead": "You log in with the account of your own city or organisation.",
        "last_time": "Last time you chose",
        "go_on_with": "Continue with {name}",
        "choose": "Choose your city",
        "choose_provider": "Where does your office log in?",
        "none_yet": "No city has set up its login yet.",
        "by_mail": "Or find it by your work e-mail address",
        "mail": "E-mail address",
        "find": "Find my city",
        "mail_unknown": "We could not tell your city from this address. Choose it from the list.",
        "mail_hint": "Only the part after the @ is used. The address is not kept.",
        "logged_in": "You are logged in",
        "as": "As",
        "of": "For",
        "roles": "Roles",
        "no_roles": "none yet; your administrator can give you some",
        "logout": "Log out",
        "another": "Log in for another city",
        "logged_out": "You are logged out",
        "logged_out_text": "You are logged out here and in every application opened from here.",
        "again": "Log in again",
        "not_logged_in": "You could not be logged in",
        "to_cities": "Back to the login page",
        "reason": "Reason",
        "test_worked": "The test login worked",
        "test_worked_text": "The identity provider can be activated now. Nobody was logged in.",
        "test_failed": "The test login did not work",
        "test_stale": "The settings were changed during the test. Please test again.",
        "claims": "What the provider says about you",
        "claim": "Claim",
        "value": "Value",
        "results": "What would follow from it",
        "result_subject": "Recognised by",
        "result_mail": "Verified e-mail address",
        "result_mail_none": "none: an invitation by e-mail could not be matched",
        "result_roles": "Roles from groups",
        "result_roles_silent": "the provider is silent about groups; roles stay as they are",
        "result_strong": "Second factor",
        "yes": "yes",
        "no": "no",
        "attempt-unknown": "This login has expired, or was begun in another browser. Begin again.",
        "provider-refused": "The login was cancelled, or your city's login refused it.",
        "not-believed": "The answer of your city's login could not be trusted. If this happens"
        " again, tell your administrator the reason below.",
        "not-strong-enough": "A login with a second factor is needed, and your city's login did not"
        " confirm one.",
        "not-fresh-enough": "You have to prove again who you are, and your city's login did not"
        " confirm it. Log out there and try again.",
        "provider-away": "Your city's login does not answer at the moment. Try again later.",
        "provider-inactive": "Your city has changed how its officials log in. Begin again.",
        "not-invited": "Your city's login knows you, but you have not been invited to this network."
        " Ask an administrator of your city.",
        "blocked": "Your access has been blocked. Ask an administrator of your city.",
        "member-left": "Your city is no longer a member of this network.",
        "no-such-city": "Nobody can log in for this city here. Choose yours from the list.",
        "test-over": "This address for a test login is not valid, or no longer. Ask for a new one.",
        "malformed": "This address is incomplete. Begin again.",
        "wait": "Please wait a little",
        "too-many-guesses": "Too much that came from your network did not work. Try again in a"
        " few minutes.",
        "foreign-form": "This form was sent from another site. Begin again.",
    },
    "ja": {
        "platform": "連携 Renkei",
        "login": "ログイン",
        "login_lead": "所属する都市・機関のアカウントでログインします。",
        "last_time": "前回の選択",
        "go_on_with": "{name}で続ける",
        "choose": "都市を選ぶ",
        "choose_provider": "ログイン先を選んでください",
        "none_yet": "ログインを設定した都市はまだありません。",
        "by_mail": "または、業務用メールアドレスから探す",
        "mail": "メールアドレス",
        "find": "都市を探す",
        "mail_unknown": "このアドレスからは都市を特定できませんでした。一覧から選んでください。",
        "mail_hint": "@ より後ろの部分だけを使います。アドレスは保存しません。",
        "logged_in": "ログインしています",
        "as": "役職",
        "of": "所属",
        "roles": "役割",
        "no_roles": "まだありません（管理者が付与できます）",
        "logout": "ログアウト",
        "another": "別の都市でログインする",
        "logged_out": "ログアウトしました",
        "logged_out_text": "この画面と、ここから開いたすべてのアプリからログアウトしました。",
        "again": "もう一度ログインする",
        "not_logged_in": "ログインできませんでした",
        "to_cities": "ログイン画面に戻る",
        "reason": "理由",
        "test_worked": "テストログインに成功しました",
        "test_worked_text": "このIDプロバイダーを有効にできます。ログイン状態にはなっていません。",
        "test_failed": "テストログインに失敗しました",
        "test_stale": "テスト中に設定が変更されました。もう一度テストしてください。",
        "claims": "プロバイダーから届いた情報",
        "claim": "項目",
        "value": "値",
        "results": "この情報から決まること",
        "result_subject": "識別子",
        "result_mail": "確認済みメールアドレス",
        "result_mail_none": "なし（メールによる招待と照合できません）",
        "result_roles": "グループから決まる役割",
        "result_roles_silent": "グループの情報がありません（役割は変わりません）",
        "result_strong": "二要素認証",
        "yes": "はい",
        "no": "いいえ",
        "attempt-unknown": "ログインの有効期限が切れたか、別のブラウザーで始められました。"
        "最初からやり直してください。",
        "provider-refused": "ログインが取り消されたか、所属先のログインで拒否されました。",
        "not-believed": "所属先のログインからの応答を信頼できませんでした。繰り返す場合は、"
        "下の理由を管理者に伝えてください。",
        "not-strong-enough": "二要素認証が必要ですが、所属先のログインで確認できませんでした。",
        "not-fresh-enough": "本人確認をやり直す必要がありますが、"
        "所属先のログインで確認できませんでした。"
        "所属先で一度ログアウトしてから、やり直してください。",
        "provider-away": "所属先のログインが応答していません。しばらくしてからやり直してください。",
        "provider-inactive": "所属先のログイン方法が変更されました。最初からやり直してください。",
        "not-invited": "所属先では確認できましたが、このネットワークに招待されていません。"
        "所属先の管理者に問い合わせてください。",
        "blocked": "利用が停止されています。所属先の管理者に問い合わせてください。",
        "member-left": "所属する都市は、このネットワークから脱退しています。",
        "no-such-city": "この都市ではログインできません。一覧から選んでください。",
        "test-over": "テストログインのアドレスが無効か、期限切れです。"
        "新しいアドレスを取得してください。",
        "malformed": "アドレスが不完全です。最初からやり直してください。",
        "wait": "しばらくお待ちください",
        "too-many-guesses": "お使いのネットワークからの操作が何度も失敗しました。"
        "数分後にもう一度お試しください。",
        "foreign-form": "別のサイトから送信されたフォームです。最初からやり直してください。",
    },
}

ROLE_NAMES: Final[Mapping[Language, Texts]] = {
    "en": {
        "administrator": "Administrator",
        "coordinator": "Coordinator",
        "contributor": "Contributor",
        "observer": "Observer",
    },
    "ja": {
        "administrator": "管理者",
        "coordinator": "調整担当",
        "contributor": "実務担当",
        "observer": "閲覧者",
    },
}


def language_for(ui_locales: str | None, accept_language: str | None) -> Language:
    """Choose the language of a page: what was asked for, else what the browser likes best.

    Source: OpenID Connect Core 1.0, section 3.1.2.1; RFC 9110, section 12.5.4.
    """
    for tag in (ui_locales or "").split()[:10]:
        if (known := _known(tag)) is not None:
            return known
    liked = []
    for position, part in enumerate((accept_language or "")[:500].split(",")[:20]):
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if (known := _known(tag)) is not None and quality > 0:
            liked.append((-quality, position, known))
    return min(liked)[2] if liked else "en"


def _known(tag: str) -> Language | None:
    primary = tag.strip().lower().partition("-")[0]
    return next((language for language in LANGUAGES if language == primary), None)


def in_language(names: Mapping[str, str], language: Language) -> str:
    """Give the text in this language, else in English, else in whichever there is."""
    return names.get(language) or names.get("en") or next(iter(names.values()))
