"""What the pages of the authorization server say, beside what those of the login say."""

from collections.abc import Mapping
from typing import Final

from services.members.http.login.texts import Texts
from shared.http.pages import Language

TEXTS: Final[Mapping[Language, Texts]] = {
    "en": {
        "consent": "Allow {application} to act for you?",
        "who": "You are logged in as {person}, for {member}.",
        "would": "{application} will be sent to {host} with your answer. It asks to:",
        "allow": "Allow",
        "deny": "Do not allow",
        "refused": "This did not work",
        "malformed": "The application sent something that we cannot go on with.",
    },
    "ja": {
        "consent": "{application} があなたに代わって操作することを許可しますか",
        "who": "{member} の {person} としてログインしています。",
        "would": "回答とともに {host} の {application} に戻ります。次のことが求められています。",
        "allow": "許可する",
        "deny": "許可しない",
        "refused": "処理を続けられませんでした",
        "malformed": "アプリケーションから送られた内容では続けることができません。",
    },
}

SCOPE_TEXTS: Final[Mapping[Language, Texts]] = {
    "en": {
        "openid": "know who you are",
        "profile": "see your name and language",
        "email": "see your mail address",
        "members:read": "see the members of the network, with their officials",
        "members:write": "manage your member's officials, applications and data",
        "network:write": "run the network",
        "projects:read": "see the projects that your member may see",
        "projects:contribute": "deliver contributions to projects",
        "projects:write": "create and change projects for your member",
        "notifications:read": "see your member's notifications",
        "notifications:write": "manage your member's notifications and webhooks",
    },
    "ja": {
        "openid": "あなたが誰であるかを確認する",
        "profile": "氏名と言語を見る",
        "email": "メールアドレスを見る",
        "members:read": "ネットワークの会員と担当者を見る",
        "members:write": "会員の担当者、アプリケーション、情報を管理する",
        "network:write": "ネットワークを運営する",
        "projects:read": "会員が見られるプロジェクトを見る",
        "projects:contribute": "プロジェクトの成果を提出する",
        "projects:write": "会員としてプロジェクトを作成し変更する",
        "notifications:read": "会員への通知を見る",
        "notifications:write": "会員への通知と Webhook を管理する",
    },
}
