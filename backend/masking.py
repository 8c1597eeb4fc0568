"""How personal data may be shown to somebody who need not know it: enough to recognise one's own, too little to learn another's."""

from __future__ import annotations


def mask_name(name: str) -> str:
    """Show "Budi Santoso" as "B*** S***"."""
    return " ".join(f"{word[0]}***" for word in name.split())


def mask_email(email: str) -> str:
    """Show "budi@example.com" as "b***@example.com", the same as the chat does: of a mailbox of one or two letters nothing."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1] if len(local) > 2 else ''}***@{domain}"


def mask_nik(nik: str) -> str:
    """Show "3171234567890123" as "3171********0123", the same as the chat does."""
    return f"{nik[:4]}********{nik[-4:]}"


def mask_phone(phone: str) -> str:
    """Show "+6281234567890" as "0812-****-7890"; any other country keeps its code."""
    national = f"0{phone[3:]}" if phone.startswith("+62") else phone
    return f"{national[:4]}-****-{national[-4:]}"
