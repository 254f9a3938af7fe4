"""What controls and people speak of, in English and German, and a little in Spanish, French and Italian.

All lists are our choice. Those of hospitals are of what records, orders and picture archives hold in general; they were
written while the words of two people for the tuning half of the sequel to MedSPOT were at hand.
"""

from __future__ import annotations

MEANINGS: dict[str, tuple[str, str]] = {
    # What is done, with the pictures that stand for it.
    "open": (
        r"open|view|show|display|öffne[nt]?|anzeigen|ansehen|abrir|ouvrir|aprire",
        r"bring up|pull(?:ed)? up|call up|show me|let me see|let me have|see|look at|go in(?:to)?|get into"
        r"|enter|read|have a look|take me to|jump to|aufmachen|auf(?:rufen|schlagen|klappen)|zeig\w*|anschauen"
        r"|mach\w*(?= .*auf)",
    ),
    "close": (
        r"close|dismiss|schließen|cerrar|fermer|chiudi",
        r"closed|(?:leave|quit|exit)(?= (?:the|this))|shut|hide|crosses|cross|kreuz(?:chen)?|x|schließe?"
        r"|zumachen|ausblenden|wegklicken|vanish"
        r"|disappear|go away|(?:get rid of|away with|throw out|remove|clear|put away"
        r"|take away)(?= (?:\w+ ){0,4}(?:dialog(?:ue)?|window|banner|message|warning|notice|pop-?up|box|bar"
        r"|alert|hint)\b)|(?:fenster|dialog|hinweis) (?:weg|zu)",
    ),
    "delete": (
        r"delete|remove|erase|trash|discard|lösch(?:en|e|t)|entfern(?:en|e|t)|eliminar|supprimer",
        r"delet\w+|remov\w+|get rid of|throw(?: \w+){0,4} (?:away|out)|strike (?:out|off)|(?:waste|rubbish"
        r"|trash|dust)[ -]?(?:bin|can|basket)|bin|gelöscht|entfernt|papierkorb|mülleimer|mülltonne|tonne"
        r"|wegwerfen|weg damit|wipe",
    ),
    "save": (
        r"save|store|speichern|sichern|guardar|enregistrer",
        r"saved|keep|preserve|floppy(?: disk)?|disk(?:ette)?|speichere?|gespeichert|sichere?|abspeichern"
        r"|festhalten",
    ),
    "add": (
        r"add|new|create|insert|hinzufügen|neue?[nrs]?|anlegen|aufnehmen|erstellen|añadir|ajouter",
        r"another|begin|attach|put in|take in|admit|plus(?:zeichen)?|neuzugang|nimm|erfass\w* neu|one more"
        r"|write a",
    ),
    "edit": (
        r"edit|change|modify|bearbeiten|ändern|editar|modifier",
        r"alter|amend|correct|adjust(?:ing)?|different|another value|pen(?:cil)?|bearbeite|ändere?|stift|bleistift"
        r"|anpassen|korrigier\w*|umstellen|fix|put right",
    ),
    "search": (
        r"search|find|look ?up|suchen?|buscar|chercher",
        r"looking[- ]glass|magnif(?:ier|ying glass)|lens|lupe|such\w*|look (?:it|him|her|them) up|look for"
        r"|finde\w*|nachschlagen",
    ),
    "zoom in": (
        r"zoom in|enlarge|vergrößern",
        r"magnify|bigger|larger|closer|blow up|größer|näher|vergrößere|(?:magnifier|magnifying glass"
        r"|looking[- ]glass|lens|lupe)(?: \w+){0,3} plus(?:zeichen)?|plus (?:lens|glass|magnifier|lupe)",
    ),
    "zoom out": (
        r"zoom out|verkleinern",
        r"smaller|shrink|further away|kleiner|verkleinere|(?:magnifier|magnifying glass|looking[- ]glass|lens"
        r"|lupe)(?: \w+){0,3} minus(?:zeichen)?|minus (?:lens|glass|magnifier|lupe)",
    ),
    "settings": (
        r"settings|preferences|options|einstellung(?:en)?|ajustes|paramètres",
        r"cog ?(?:wheel)?|gear ?(?:wheel)?|zahnrad|configur\w+|konfigur\w+|set up",
    ),
    "menu": (
        r"menu|menü|menú",
        r"hamburger(?: menu)?|three (?:bars|lines|stripes|dashes|strokes)|drei (?:striche|balken|linien)"
        r"|fold (?:away|in)|menü(?:symbol|knopf)|seitenmenü|navigation",
    ),
    "home": (
        r"home|start ?page|startseite|inicio|accueil",
        r"house|haus|häuschen|start(?:ing)? (?:page|screen)|anfang",
    ),
    "refresh": (
        r"refresh|reload|update|aktualisieren|neu laden|actualizar|actualiser",
        r"(?:round|circular|circling|curved|turning) arrow|arrow (?:going|in a) (?:round|circle)"
        r"|aktualisier\w*|up to date|afresh|load (?:it |the \w+ )?again|runde[rn]? pfeil|kreispfeil|lad\w* neu"
        r"|neu einlesen",
    ),
    "print": (r"print|drucken|imprimir|imprimer", r"print(?:er|ed|out)|on paper|ausdruck\w*|drucker|drucke|gedruckt"),
    "download": (
        r"download|herunterladen|descargar|télécharger",
        r"fetch|get|arrow (?:pointing )?down(?:wards)?|runterladen",
    ),
    "upload": (
        r"upload|hochladen|subir|téléverser",
        r"uploading|hochgeladen|lade?n? hoch|up arrow|arrow (?:pointing )?up(?:wards)?|pfeil nach oben",
    ),
    "help": (r"help|hilfe|ayuda|aide", r"question mark|fragezeichen"),
    "info": (
        r"info|information",
        r"(?:the|round|letter|small|little) i|i (?:symbol|icon|sign)|what \w+ is this|infos",
    ),
    "user": (r"user|profile|account|benutzer|profil", r"my own data"),
    "log out": (
        r"log ?(?:out|off)|sign (?:out|off)|abmelden|cerrar sesión|déconnexion",
        r"log(?: \w+) (?:out|off)|logging (?:out|off)|sign(?: me) (?:out|off)|end (?:the|my|this) session"
        r"|melde? (?:mich|uns|dich|ihn|sie)(?: \w+){0,4} ab|ausloggen|i'?m (?:done|finished) (?:here|for today)"
        r"|feierabend",
    ),
    "cancel": (
        r"cancel|abort|abbrechen|cancelar|annuler",
        r"never ?mind|call (?:it|that|this) off|back out|changed my mind|brich\w* ab|lieber nicht|doch nicht"
        r"|forget (?:it|that)",
    ),
    "keep": (r"keep|beibehalten", r"leave (?:it|him|her) on|behalten"),
    "confirm": (r"confirm|ok|yes|accept|apply|bestätigen|übernehmen|anwenden|ja", r"okay|go ahead|agree|bestätige"),
    "sign": (
        r"sign|unterschreiben|unterzeichnen|signieren|firmar|signer",
        r"sign(?:ed|ing|ature)|unterschreibe?|signier\w*",
    ),
    "stop": (
        r"stop|discontinue|absetzen|beenden|detener|arrêter",
        r"stop\w+|discontinu\w+|tak(?:e|ing) (?:him|her|the patient) off|abgesetzt|setz\w*(?: \w+){0,4} ab|beende",
    ),
    "start": (r"start|run|execute|begin|starten|do", r"launch|and go|begin\w*|anfangen|los"),
    "send": (
        r"send|transmit|senden|schicken|enviar|envoyer",
        r"forward(?= (?:th|it|him|her))|pass (?:it )?on|push|schicke?|verschick\w*",
    ),
    "record": (r"record|submit|enter|erfassen", r"take down|put on file|erfasse|eintragen|hand in"),
    "copy": (r"copy|kopieren|copiar|copier", r"copying|clipboard|kopier\w*|zwischenablage"),
    "crosshair": (r"cross-?hairs?|target|fadenkreuz", r"cross hairs?|hair cross"),
    "measure": (r"measure(?:ments?)?|distance|messen|messung", r"ruler|lineal|measuring"),
    "threshold": (r"thresholds?|thresholding|schwell(?:e|wert)", r"colou?r[ -]?(?:bar|scale|strip|ramp)|gradient"),
    "invert": (r"invert|reverse", r"flip|negative|opposite|umkehr\w*|inverti\w*"),
    "anonymize": (
        r"anonymi[sz]e|anonymisieren",
        r"anonym\w*|de-?identif\w*|without (?:the |his |her |any )?names?|(?:strip|take out) (?:the )?names?",
    ),
    "next": (
        r"next|next page|forward|weiter|nächste seite|siguiente|suivant",
        r"onwards?|advance|page on|following page|later|(?:right|forward) arrow|arrow (?:to the |pointing "
        r"|pointing to the )?right|vorwärts|weiterblättern|nächste[nrs]?|pfeil (?:nach )?rechts"
        r"|rechte[rn]? pfeil|page (?:two|2)|turn (?:the|over)",
    ),
    "previous": (
        r"previous|previous page|back|zurück|vorige seite|anterior|précédent",
        r"backwards?|(?:left|back|other) arrow|arrow (?:to the |pointing |pointing to the )?left(?! of)"
        r"|zurück\w*|vorige[nrs]?|vorherige[nrs]?|pfeil (?:nach )?links|linke[rn]? pfeil|return|leave"
        r"|go out of|page (?:one|1)|verlassen",
    ),
    # What records of patients and archives of pictures speak of.
    "medication": (
        r"medications?|drugs?|medicines?|medikation|medikamente?|arzneimittel|médicaments?",
        r"meds|pills|tablets|prescriptions?|arznei\w*|medizin",
    ),
    "laboratory": (
        r"lab(?:oratory)?(?: results?| values?)?|laborwerte|labor",
        r"labs|blood (?:values|results|work|tests?)|laborwerten|blutwerte",
    ),
    "notes": (r"notes?|notiz(?:en)?", r"what was written|aufzeichnung\w*"),
    "overview": (r"overview|summary|übersicht", r"überblick"),
    "order": (r"orders?|order entry|anordnung(?:en)?", r"ordering|request|anordnen|verordnung"),
    "test": (r"tests?|examination|untersuchung(?:en)?", r"exam"),
    "dose": (r"dose|dosage|dosis", r"how much|amount|strength|milligrams?|wie ?viel"),
    "frequency": (r"frequency|häufigkeit", r"how often|times (?:a|per) day|how many times|wie oft|rhythm"),
    "route": (
        r"route|verabreichung",
        r"way (?:it is|of)(?: \w+)? (?:given|taken)|verabreichungs\w*|how (?:it is|it's|to) (?:given|taken"
        r"|give|take)",
    ),
    "given": (
        r"given|verabreicht",
        r"administered|(?:has|have|had) (?:had|got|taken|received)|gegeben|bekommen|got (?:his|her|it)",
    ),
    "bed": (r"beds?|bett", r"bed number|where (?:he|she) lies"),
    "pulse": (r"pulse|puls", r"heart ?(?:rate|beat)|herzfrequenz"),
    "temperature": (r"temperature|temperatur", r"fever|temp|fieber"),
    "blood pressure": (r"blood pressure|blutdruck", r"bp"),
    "password": (r"password|passwort|kennwort", r"passphrase"),
    "reason": (r"reason|grund", r"why|warum|because of what"),
    "priority": (r"priority|dringlichkeit", r"how (?:urgent|soon)"),
    "urgent": (r"urgent|dringend", r"pressing|in a hurry|soon|eilig|eilt"),
    "emergency": (r"emergency|notfall", r"right away|life[- ]threatening"),
    "nurse": (r"nurses?|pflege", r"nursing|schwester|pflegekr\w+|sister"),
    "notify": (
        r"notify|benachrichtigen",
        r"notif\w+|tell|inform(?!ation)\w*|let(?= (?:the )?\w+ know)|alert|benachrichtig\w*|bescheid|informier\w*",
    ),
    "comment": (r"comments?|bemerkung", r"remark|anmerkung|free text"),
    "draft": (r"draft|entwurf", r"unfinished|for later|unsigned"),
    "start date": (r"start date|beginn", r"starting (?:day|date)|when (?:it|this) (?:starts|begins)|first day"),
    "date": (r"date|datum", r"when|day|wann"),
    "allergy": (r"allerg(?:y|ies|ien?)", r"allergic|allergisch|allergi\w+"),
    "message": (r"messages?|nachricht(?:en)?", r"mail|inbox|post"),
    "document": (r"documents?|dokumente?", r"papers|paperwork|letters|unterlagen"),
    "calendar": (r"calendar|kalender", r"appointments|diary|termine"),
    "worklist": (r"work ?list|arbeitsliste", r"to-?do(?:s| list)?|what (?:there )?is to (?:be )?do(?:ne)?"),
    "interaction": (r"interactions?|wechselwirkung(?:en)?", r"go together|get along"),
    "detail": (r"details?|einzelheiten", r"particulars|more about|more on|read more|näheres|genaueres|specifics"),
    "trend": (
        r"trend|verlauf",
        r"been (?:going|doing|developing)|developed|over time|how (?:has|have)|course|curve|graph|develop\w*"
        r"|entwickel\w*|history",
    ),
    "potassium": (r"potassium|kalium", r"k\+"),
    "sodium": (r"sodium|natrium", r"na\+"),
    "creatinine": (r"creatinine|kreatinin", r"kidney (?:value|function)"),
    "haemoglobin": (r"ha?emoglobin|hämoglobin", r"hb"),
    "glucose": (r"glucose|glukose", r"blood sugar|sugar|blutzucker|zucker"),
    "all": (r"all|alle[nr]?", r"every|whole|full|complete|entire|sämtliche\w*"),
    "patient": (r"patients?|patient(?:en|in)", r"case|person|kranke[nr]?|lady|gentleman|woman|man"),
    "study": (r"stud(?:y|ies)|studien?", r"exam(?:ination)?s?|scan|untersuchung"),
    "series": (r"series|serien?", r"sequence|pictures"),
    "head": (r"head|brain|kopf", r"skull|gehirn|schädel|cranial"),
    "spine": (r"spine|wirbelsäule", r"spinal|backbone|vertebra\w*"),
    "ct": (r"ct", r"cat scan|computed tomography|computertomogra\w+"),
    "x-ray": (r"xr|x-?rays?|röntgen", r"radiograph|plain film|röntgenbild"),
    "cervical": (r"cervical|c", r"neck|hals\w*"),
    "lung": (r"lungs?|lunge", r"chest|pulmonary|lungen\w*"),
    "bone": (r"bones?|knochen", r"skeletal|skeleton|knochen\w*"),
    "low": (r"l|low", r"lowest|worst|poor|coarse(?:st)?|niedrig\w*"),
    "medium": (r"m|medium|mittel", r"middle|middling|mittlere\w*"),
    "high": (r"h|high|best", r"highest|finest|top quality|hohe\w*|beste\w*|lossless"),
    "default": (r"default|standard|reset", r"original|initial|usual|normal"),
    "interpolation": (r"interpolation|smooth(?:ing)?", r"smoothed|glätt\w*"),
    "plugin": (r"plug-?ins?", r"add-?ons?|extensions?|erweiterungen"),
    "label": (r"labels?", r"tags?|etikett"),
    "protected": (r"(?:un)?protect(?:ed|ion)?", r"lock(?:ed)?|safe from|schütz\w*|geschützt|schutz"),
    "modality": (
        r"modality|remote modality",
        r"another (?:machine|server|station|system|device|archive)|elsewhere|other hospital",
    ),
    "query": (r"query|retrieve", r"pacs|other archives?|ask other"),
    "job": (r"jobs?", r"background tasks?|running tasks?|queue"),
    "filter": (r"filter", r"narrow down|filtern"),
    "archive": (r"zip|archive", r"packed|all files"),
    "link": (r"link|url", r"address"),
}
"""For each meaning: words for it on either side, and words that only people use; regular expressions in lower case."""
ACTIONS = frozenset(list(MEANINGS)[: list(MEANINGS).index("medication")])
"""Meanings that say what is done, those before the things."""
CHANGING = frozenset("delete save add edit sign stop start send record confirm anonymize upload".split())
"""Meanings of what changes something."""
LABELS: dict[str, tuple[str, ...]] = {
    "open": ("open", "view", "show", "details", "öffnen", "anzeigen", "abrir", "ouvrir"),
    "edit": ("edit", "change", "modify", "bearbeiten", "ändern", "editar", "modifier"),
    "delete": ("delete", "remove", "löschen", "entfernen", "eliminar", "supprimer"),
    "save": ("save", "store", "keep", "speichern", "sichern", "guardar", "enregistrer"),
    "add": ("add", "new", "create", "hinzufügen", "neu", "anlegen", "añadir", "ajouter"),
    "search": ("search", "find", "lookup", "do lookup", "suchen", "buscar", "rechercher"),
    "close": ("close", "dismiss", "exit", "schließen", "cerrar", "fermer"),
    "back": ("back", "zurück", "volver", "retour"),
    "next": ("next", "next page", "forward", "weiter", "nächste seite", "siguiente", "suivant"),
    "previous": ("previous", "previous page", "back", "zurück", "vorige seite", "anterior", "précédent"),
    "cancel": ("cancel", "abort", "abbrechen", "cancelar", "annuler"),
    "log out": ("log out", "log off", "sign out", "logout", "abmelden", "cerrar sesión", "déconnexion"),
    "invert": ("invert", "reverse"),
    "sign": ("sign", "unterschreiben", "firmar", "signer"),
    "stop": ("stop", "end", "absetzen", "beenden", "detener", "arrêter"),
    "confirm": ("confirm", "ok", "yes", "bestätigen", "ja", "confirmar", "confirmer"),
}
"""Words on controls that mean the same."""
GO_AHEAD = "what confirms it"
"""Stands for a button that confirms, however it is called; nobody says so."""


def meaning(words: str) -> frozenset[str]:
    """Words on controls that mean the same as some words do, without these."""
    wanted = words.casefold().strip()
    if wanted == GO_AHEAD:
        return frozenset(LABELS["confirm"]) | {"okay", "apply", "anwenden", "übernehmen"}
    same = {
        label
        for intent, labels in LABELS.items()
        if wanted == intent or wanted in labels
        for label in (*labels, intent)
    }
    return frozenset(same) - {wanted}
