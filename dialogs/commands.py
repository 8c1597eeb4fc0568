"""What may be said at every step: the commands, the words and buttons that mean the same, and what they do.

Lives here: global commands; each answers and then the same question stands again. Must not live here: a step's own presses
(`dialogs/steps/`). A step that knows an action of the same name (Kembali, Batal) has the first word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dialogs import moves, reminders
from dialogs.frozen import replace
from dialogs.registration import focused, state_of, step_id
from dialogs.steps import desk, privacy
from dialogs.steps._step import Context, Outcome, Press, contacts
from dialogs.steps.overlays import laid, lifted, new_draft, speak
from dialogs.steps.people import lines


def start(ctx: Context, payload: str) -> Outcome:
    """A new chat is greeted; an open form offers to continue or start again; otherwise the newest registration is shown.

    A link that takes a form along brings it.
    """
    if moves.is_link(payload):
        return moves.opened(ctx, payload)
    draft = ctx.session.draft
    if draft is not None and not draft.sending and (draft.answers or draft.kind):
        return laid(replace(ctx, session=replace(ctx.session, email_change=None, aside="")), "restart")
    if draft is None and not ctx.session.registrations:
        return new_draft(ctx)
    # Whoever begins again is greeted and told everything again.
    draft = replace(draft, tries=0) if draft is not None else None
    return Outcome(replace(ctx.session, draft=draft, overlay="", email_change=None, aside=""))


def register(ctx: Context, argument: str) -> Outcome:
    """Begin a registration, also another one after a hand-off."""
    return start(ctx, argument) if ctx.session.draft is not None else new_draft(ctx)


def cancel(ctx: Context, _: str) -> Outcome:
    """Ask before anything is thrown away; with nothing to lose there is nothing to ask."""
    draft = ctx.session.draft
    if draft is None:
        about = focused(ctx.session)
        id_ = "flow.cancel_sent" if about is not None and state_of(about) in privacy.OPEN else "flow.nothing_to_cancel"
        told = ctx.text(id_, name=about.name if about else "")
        return Outcome(replace(ctx.session, overlay="", email_change=None, aside=""), told)
    return laid(ctx, "cancel")


def back(ctx: Context, _: str) -> Outcome:
    return Outcome(ctx.session, ctx.text("flow.first_question" if ctx.session.draft else "flow.nothing_to_go_back"))


def language(ctx: Context, argument: str) -> Outcome:
    return speak(ctx, argument) if argument in ("id", "en") else laid(ctx, "language")


STANDS: Final = ("pending", "mail_failed", "expired", "active", "withdrawn", "erasing")


def status(ctx: Context, _: str) -> Outcome:
    """Every registration of this chat, masked, and how far the open form is. Where there are several, one can be chosen."""
    told = lines(ctx)
    session = replace(ctx.session, overlay="", aside="")
    if session.registrations and (session.draft or len(session.registrations) > 1):
        return Outcome(replace(session, aside="status", email_change=None))
    here = step_id(session)
    if here in STANDS:
        # The line takes the place of what would only say the same again; where there is something to do, the screen says it all.
        return Outcome(session, news=told if here in ("pending", "erasing") else "")
    return Outcome(session, told or ctx.text("flow.status.none"))


def greet(ctx: Context, argument: str) -> Outcome:
    """A greeting is returned, and the open question goes on; where nothing is open it begins."""
    draft = ctx.session.draft
    if draft is None or not (draft.answers or draft.kind):
        return start(ctx, argument)
    return Outcome(ctx.session, ctx.text("flow.hello"))


def wait(ctx: Context, _: str) -> Outcome:
    return Outcome(ctx.session, ctx.text("flow.no_hurry"))


def password(ctx: Context, _: str) -> Outcome:
    """Where a password is chosen, and where a forgotten one is replaced: never here."""
    return Outcome(ctx.session, ctx.text("flow.password_help"))


def thanks(ctx: Context, _: str) -> Outcome:
    return Outcome(ctx.session, ctx.text("flow.welcome"))


def help_(ctx: Context, _: str) -> Outcome:
    """What can be done here, how to reach a human. The step's own help is put before it by the machine."""
    return Outcome(ctx.session, "\n\n".join((ctx.text("flow.help"), contacts(ctx))))


# Name -> what it does. Names are the commands (Bot API: lower-case ASCII) and the ids of buttons that any step may carry.
COMMANDS: Final[Mapping[str, Press]] = {
    "start": start,
    "register": register,
    "register_another": register,
    "cancel": cancel,
    "back": back,
    "language": language,
    "status": status,
    "help": help_,
    "privacy": privacy.privacy,
    "erase": privacy.erase,
    "mute": reminders.mute,
    "move": moves.wanted,
    "go_on": lifted,
    "agent": desk.asked,
    "greet": greet,
    "password": password,
    "english": lambda ctx, _: speak(ctx, "en"),
    "indonesian": lambda ctx, _: speak(ctx, "id"),
    "thanks": thanks,
    "wait": wait,
}

# What people type for each, as a whole message, with or without a slash, in either language.
# fmt: off
_SPOKEN: Final[Mapping[str, tuple[str, ...]]] = {
    "start": (
        "start", "mulai", "mulai lagi", "mulai ulang", "mulai dari awal", "ulang", "ulangi", "ulang dari awal", "menu",
        "restart", "start again", "start over", "begin",
    ),
    "greet": (
        "halo", "hai", "hallo", "hi", "hello", "permisi", "selamat pagi", "selamat siang", "selamat sore", "selamat malam",
        "assalamualaikum", "good morning", "good afternoon", "good evening",
    ),
    "go_on": ("lanjut", "lanjutkan", "teruskan", "go on", "continue", "resume"),
    "register": (
        "daftar", "daftar lagi", "mau daftar", "saya mau daftar", "saya ingin mendaftar", "pendaftaran", "registrasi",
        "register", "registration", "sign up", "i want to register", "i want an account",
        "i want to make an account", "i want to open an account", "saya mau buat akun", "mau buat akun",
        "buat akun", "daftarkan orang lain", "register another person",
    ),
    "cancel": (
        "batal", "tidak jadi", "gak jadi", "ga jadi", "never mind", "batalkan", "batalkan pendaftaran", "cancel", "stop",
        "berhenti", "keluar", "quit", "exit",
    ),
    "back": ("kembali", "mundur", "sebelumnya", "back", "go back", "previous"),
    "language": ("bahasa", "language", "ganti bahasa", "change language"),
    "status": (
        "status", "kapan jadi", "kapan jadinya", "kapan aktif", "kapan aktifnya", "sudah jadi", "sudah jadi belum", "berapa lama",
        "how long", "when", "when is it active", "sudah aktif belum", "apakah sudah aktif", "sudah saya klik", "is it active", "cek status",
        "status pendaftaran", "check status", "my status",
    ),
    "help": (
        "bagaimana selanjutnya", "apa selanjutnya", "lalu bagaimana", "what next",
        "bantuan", "bantu", "tolong", "bantu saya", "tolong bantu", "saya bingung", "bingung", "tidak mengerti",
        "saya tidak mengerti", "tidak paham", "cara daftar", "tidak tahu", "saya tidak tahu", "tidak tau", "gak tau",
        "ga tau", "nggak tau", "gak tahu", "lupa", "saya lupa",
        "tidak ingat", "di mana lihatnya", "lihat di mana", "i do not know", "i don't know", "i forgot", "apa itu nik",
        "nik itu apa", "what is nik", "help", "help me", "i do not understand", "?",
    ),
    "privacy": (
        "privasi", "privacy", "data saya", "my data", "untuk apa", "untuk apa datanya", "buat apa", "kenapa", "mengapa",
        "apakah aman", "apa aman", "aman tidak", "apakah ini aman", "penipuan", "apakah ini penipuan", "why", "what for",
        "is it safe", "is this safe", "is this a scam", "why do you need this", "why do you ask",
        "why do you need my nik", "kenapa perlu nik", "kenapa harus nik", "untuk apa nik",
    ),
    "erase": ("hapus", "hapus data", "hapus data saya", "erase", "delete my data"),
    "mute": ("jangan ingatkan lagi", "berhenti mengingatkan", "do not remind me again", "don't remind me"),
    "move": (
        "pindah", "pindah perangkat", "pindah ke hp", "pindah ke telegram", "lanjut di hp", "lanjutkan di hp", "lanjut di telegram",
        "lanjutkan di telegram", "pindah ke whatsapp", "pindah ke wa", "lanjut di whatsapp", "lanjutkan di whatsapp", "lanjut di wa",
        "lanjutkan di wa", "continue in whatsapp", "lanjut di perangkat lain", "lanjutkan di perangkat lain", "ganti perangkat", "move",
        "continue on another device", "continue on my phone", "continue in telegram", "switch device",
    ),
    "agent": (
        "petugas", "hubungi petugas", "bicara dengan petugas", "mau bicara dengan petugas", "bicara dengan orang", "manusia",
        "customer service", "call center", "operator", "helpdesk", "cs", "admin", "agent", "human", "talk to a human",
        "talk to an agent", "talk to a person", "talk to someone", "speak to a human", "speak to a person", "speak to someone",
        "i want to talk to a person", "i want to talk to a human", "i want to speak to a person", "i want to speak to a human",
        "i want to talk to someone", "can i talk to someone", "real person", "a person", "saya mau bicara dengan orang",
        "mau bicara dengan orang", "saya mau bicara dengan petugas", "minta petugas", "tolong hubungkan ke petugas",
    ),
    "wait": (
        "sebentar", "sebentar ya", "tunggu", "tunggu sebentar", "tunggu ya", "nanti", "nanti dulu", "nanti saya lanjutkan",
        "wait", "wait a moment", "one moment", "just a moment", "later",
    ),
    "password": (
        "password", "kata sandi", "password apa", "kata sandi apa", "apa kata sandinya", "apa passwordnya", "lupa password",
        "lupa kata sandi", "saya lupa password", "saya lupa kata sandi", "password saya lupa", "kata sandi saya lupa", "cara login",
        "bagaimana cara login", "forgot password", "i forgot my password", "what password", "how do i log in",
    ),
    "english": ("english", "in english", "english please", "inggris", "bahasa inggris"),
    "indonesian": ("indonesia", "bahasa indonesia", "dalam bahasa indonesia", "indonesian"),
    "thanks": ("terima kasih", "terimakasih", "makasih", "terima kasih banyak", "thanks", "thank you", "thank you very much"),
}
# fmt: on
WORDS: Final[Mapping[str, str]] = {word: command for command, words in _SPOKEN.items() for word in words}
# What channels register as their menu, in this order; descriptions are the texts `flow.menu.<name>`.
MENU: Final = ("start", "daftar", "status", "bantuan", "batal", "pindah", "bahasa", "privasi", "hapus")


def named(text: str) -> str | None:
    """The command that this whole message means, if any."""
    said = " ".join(text.casefold().strip(" \t\n.!/").split())
    return WORDS.get(said) or (WORDS.get(said.rstrip("? ")) if said.endswith("?") else None)
