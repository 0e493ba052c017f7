from tests.portal.conftest import *
from tests.conftest import *
from tests.portal.browsing import Browser
import re


async def test_links(app, browser):
    import httpx2

    out = []
    for raw in ("//evil.example/x", "/%5Cevil.example/x", "///evil.example", "/x%0d%0ay"):
        r = await browser.get(f"https://{ISSUER.split('//')[1]}{raw}")
        out.append((raw, r.status_code, re.findall(r'href="([^"]*)"', r.text)))
    for host in ("[", "a b", "evil.example", "x/../y?z"):
        r = await browser.get("/nowhere", headers={"Host": host})
        out.append((host, r.status_code, re.findall(r'href="([^"]*)"', r.text)))
        r = await browser.get("/", headers={"Host": host})
        out.append((host, r.status_code, re.findall(r'href="([^"]*)"', r.text)))
    c = "; ".join(f"__Host-portal-login-({n})=v1" for n in range(6))
    r = await browser.get("/session/login", headers={"Cookie": c})
    out.append(("cookies", r.status_code))
    c = "; ".join(f"__Host-portal-login-{n}é=v1" for n in range(6))
    r = await browser.get("/session/login", headers={"Cookie": c.encode()})
    out.append(("cookies", r.status_code))
    for o in out:
        print(o)


from tests.web import ISSUER
