"""What an auto-responder says of itself, in a few languages; `[phrases]` of a file has others."""

from __future__ import annotations

from typing import Final

PHRASES: Final[dict[str, dict[str, str]]] = {
    "text": {
        "en": "Please write a few words.",
        "id": "Silakan tulis beberapa kata.",
        "de": "Bitte schreiben Sie ein paar Worte.",
        "es": "Escriba unas palabras, por favor.",
        "fr": "Écrivez quelques mots, s'il vous plaît.",
        "pt": "Escreva algumas palavras, por favor.",
    },
    "name": {
        "en": "Please write a name.",
        "id": "Silakan tulis nama.",
        "de": "Bitte schreiben Sie einen Namen.",
        "es": "Escriba un nombre, por favor.",
        "fr": "Écrivez un nom, s'il vous plaît.",
        "pt": "Escreva um nome, por favor.",
    },
    "email": {
        "en": "That is no e-mail address. Please write one like ann@example.org.",
        "id": "Itu bukan alamat email. Silakan tulis seperti ann@example.org.",
        "de": "Das ist keine E-Mail-Adresse. Bitte schreiben Sie eine wie ann@example.org.",
        "es": "Eso no es un correo. Escriba uno como ann@example.org.",
        "fr": "Ce n'est pas une adresse e-mail. Écrivez-en une comme ann@example.org.",
        "pt": "Isso não é um e-mail. Escreva um como ann@example.org.",
    },
    "phone": {
        "en": "That is no phone number. Please write it with its country code.",
        "id": "Itu bukan nomor telepon. Silakan tulis dengan kode negara.",
        "de": "Das ist keine Telefonnummer. Bitte schreiben Sie sie mit Landesvorwahl.",
        "es": "Eso no es un teléfono. Escríbalo con el prefijo del país.",
        "fr": "Ce n'est pas un numéro de téléphone. Écrivez-le avec l'indicatif du pays.",
        "pt": "Isso não é um telefone. Escreva-o com o código do país.",
    },
    "date": {
        "en": "Please write a day like 24 December or 2026-12-24.",
        "id": "Silakan tulis hari seperti 24 Desember atau 2026-12-24.",
        "de": "Bitte schreiben Sie einen Tag wie 24. Dezember oder 24.12.2026.",
        "es": "Escriba un día como 24 diciembre o 24/12/2026.",
        "fr": "Écrivez un jour comme 24 décembre ou 24/12/2026.",
        "pt": "Escreva um dia como 24 dezembro ou 24/12/2026.",
    },
    "future": {
        "en": "That day is over. Which later one?",
        "id": "Hari itu sudah lewat. Hari apa setelahnya?",
        "de": "Der Tag ist vorbei. Welcher spätere?",
        "es": "Ese día ya pasó. ¿Qué otro día?",
        "fr": "Ce jour est passé. Quel autre jour ?",
        "pt": "Esse dia já passou. Que outro dia?",
    },
    "past": {
        "en": "That day is yet to come. Which earlier one?",
        "id": "Hari itu belum tiba. Hari apa sebelumnya?",
        "de": "Der Tag kommt erst noch. Welcher frühere?",
        "es": "Ese día aún no llega. ¿Qué día anterior?",
        "fr": "Ce jour n'est pas encore venu. Quel jour avant ?",
        "pt": "Esse dia ainda não chegou. Que dia antes?",
    },
    "open": {
        "en": "We are closed on that day. Which other one?",
        "id": "Kami tutup pada hari itu. Hari lain apa?",
        "de": "An dem Tag ist geschlossen. Welcher andere?",
        "es": "Ese día está cerrado. ¿Qué otro día?",
        "fr": "Nous sommes fermés ce jour-là. Quel autre jour ?",
        "pt": "Nesse dia estamos fechados. Que outro dia?",
    },
    "number": {
        "en": "Please write a number{range}.",
        "id": "Silakan tulis angka{range}.",
        "de": "Bitte schreiben Sie eine Zahl{range}.",
        "es": "Escriba un número{range}.",
        "fr": "Écrivez un nombre{range}.",
        "pt": "Escreva um número{range}.",
    },
    "choice": {
        "en": "Please choose one of these.",
        "id": "Silakan pilih salah satu.",
        "de": "Bitte wählen Sie eines davon.",
        "es": "Elija una de estas opciones.",
        "fr": "Choisissez une de ces options.",
        "pt": "Escolha uma destas opções.",
    },
    "cancelled": {
        "en": "All right, that is cancelled.",
        "id": "Baik, dibatalkan.",
        "de": "In Ordnung, abgebrochen.",
        "es": "De acuerdo, cancelado.",
        "fr": "D'accord, c'est annulé.",
        "pt": "Tudo bem, cancelado.",
    },
    "today": {"en": "today", "id": "hari ini", "de": "heute", "es": "hoy", "fr": "aujourd'hui", "pt": "hoje"},
    "tomorrow": {"en": "tomorrow", "id": "besok", "de": "morgen", "es": "mañana", "fr": "demain", "pt": "amanhã"},
}
"""By name and language."""
