"""The texts of the real input: names and descriptions as people really write them.

Everything here is one line of valid text and must be accepted and delivered as it is.
"""

NAMES = [
    "Alice Example", "Bob O'Brien", "José García-López", "Zoë Müller", "Łukasz Żółć",
    "Björk Guðmundsdóttir", "Nguyễn Thị Ánh", "李小龍", "山田 太郎", "김민준",
    "محمد بن سلمان", "שרה כהן", "Дмитрий Иванов", "Ελένη Παπαδοπούλου", "प्रिया शर्मा",
    "வேலன் முருகன்", "ธนพล ศรีสุข", "გიორგი ბერიძე", "Արամ Խաչատրյան", "አበበ በቀለ",
    "Anne-Marie <b>Dupont</b>", "Robert'); DROP TABLE users;--", "\"Quoted\" Person",
    "Ampersand & Sons", "Back\\slash", "Comma, Dot.", "Semi;colon:colon", "(Parens) [x]",
    "👩‍👩‍👧‍👦 Family", "🏴󠁧󠁢󠁥󠁮󠁧󠁿 England", "Z̸̢͝a̴͘l̷͠g̵̈́o̶", "ﷺ", "x" * 200, "é" * 100,
    "=?utf-8?q?not_an_encoded_word?=", "Bcc: somebody@example.org", "{{name}}", "${name}",
    "%s%n%x", "Ⅷ ½ ﬁ ǆ", "\u202eevil\u202c reversed", "tên​zero​width", ".", "-",
]

DESCRIPTIONS = [
    None, "Lunch", "Rent for January", "Mittagessen für zwei", "Café & croissants",
    "Einkauf bei Käse-König", "お昼ごはん", "午餐费用", "점심값", "обед на двоих",
    "غداء مع الأصدقاء", "ארוחת צהריים", "दोपहर का भोजन", "อาหารกลางวัน", "Μεσημεριανό",
    "🍕🍺", "👩‍❤️‍💋‍👨 dinner", "🇦🇹 → 🇯🇵", "Łódź → Kraków", "Crème brûlée n° 5",
    "<script>alert('x')</script>", "</td></tr><tr><td>", "a < b && c > d", "&lt;&amp;&#39;",
    "\"quoted\" and 'single'", "back\\slash \\r\\n Bcc: x@example.org", "%0d%0aBcc: x@example.org",
    "Subject: not a header", "RCPT TO:<x@example.org>", ".", "..", "From the beginning",
    "QUIT", "=?UTF-8?B?w6Q=?=", "=C3=A4=", "{{amount}} {{name}}", "${HOME} $(id) `id`",
    "'; DROP TABLE transactions; --", "null", "true", "0", "NaN", "1e9", "{\"a\":1}", "[]",
    "\u202eright to left override", "mixed عربي and English טקסט 123", "a\u0301e\u0308 combining",
    "\ufeffBOM inside", "zero\u200bwidth\u200djoiners", "\U0001d54f math and \U00020000 plane 2",
    "x" * 255, "é" * 255, "字" * 255, "\U0001f600" * 255, "word " * 50 + "end",
    "https://example.org/?q=a&b=c#d", "50% off; 3 for 2", "tab-free text", "ends with space ",
    " starts with space", "İstanbul ı", "ﷺﷺﷺ", "\ue000 private use", "\ufffd replacement",
]

# One line each that may not pass: a control character, or too long.
BAD_LINES = [
    "Lunch\r\nBcc: victim@example.org", "Lunch\nSubject: forged", "Lunch\rX: y",
    "\r\n.\r\nMAIL FROM:<x@example.org>", "tab\there", "bell\u0007", "escape\u001b[31m",
    "delete\u007f", "next line\u0085x", "line separator\u2028x", "paragraph\u2029x",
]
