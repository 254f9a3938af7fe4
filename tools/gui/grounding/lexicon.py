"""Words of instructions in English, German, Spanish, French and Italian: verbs, controls, relations, places, ordinals.

The lists are our choice. Longer phrases stand before shorter ones that begin them wherever order matters.
"""

from __future__ import annotations

VERBS = (
    # English
    "(?:hover over or )?click(?: on| onto| in| inside| into)?|double[- ]?click(?: on)?|right[- ]?click(?: on)?"
    r"|left[- ]?click(?: on)?|press(?: on)?|push"
    r"|hit|take|grab|bring(?! up)|tap(?: on)?|select|choose|pick|open(?: up)?|launch|go(?: back)? to|navigate to"
    r"|switch to|move to|(?:move|pull|slide)(?= (?:the )?(?:slider|knob|handle)\b)"
    r"|toggle|tick|untick|access|reveal"
    r"|check|uncheck|enable|disable|activate|turn (?:on|off)|expand|collapse|focus(?: on)?|locate|find|show|view"
    r"|use|mark|follow|start|set|change|adjust|drag|hover(?: over)?|put the cursor (?:in|into)"
    r"|place the cursor (?:in|into)"
    # German
    r"|doppelklicken sie auf|klicken sie (?:auf|in)|klicke?(?: auf| in)?|drücken sie(?: auf)?|drücke?(?: auf)?"
    r"|tippen sie auf|tippe auf"
    r"|wählen sie|wähle?|öffnen sie|öffne|gehen sie zu|gehe zu|aktivieren sie|aktiviere|setzen sie|markieren sie"
    r"|markiere"
    # Spanish
    r"|haga (?:doble )?clic (?:en|sobre)|haz (?:doble )?clic (?:en|sobre)|pulse|pulsa|presione|presiona"
    r"|seleccione|selecciona|abra|abre"
    r"|elija|elige|marque|marca"
    # French
    r"|double-?cliquez sur|cliquez (?:sur|dans)|clique(?:r)? sur|appuyez sur|sélectionnez|choisissez|ouvrez"
    r"|cochez|décochez"
    # Italian
    r"|fai (?:doppio )?clic su|fare clic su|clicca su|premi|seleziona|apri|scegli|spunta"
)
AT = "in|at|on|from|an|auf|en|dans|im|along|near|am"
PLACED = "that is |which is |which |located |shown |placed |found "
BY = (
    r"with(?: its)?|using|via|by (?:means of|pressing|clicking(?: on)?|using)|by(?= (?:the|its)\b)|through"
    r"|mit(?: dem| der)?|über|durch klicken auf|con|mediante|avec"
)
"""How the means is named by which something is done."""
BARS = "path|address|location|tool|button|icon|main|top|upper"
"""What bars are called that have no name on the screen."""
NOUNS = (
    "patient|study|series|instance|entry|exam(?:ination)?|case|record|file|document|note|drug|medication|order|item|option"
    r"|value|person|word|words|text|control|element|patienten?|patientin|studie|serie|datei|arzneimittel|medikament"
    r"|paciente|estudio"
)
"""Nouns that say what a name stands for."""
PLACES = (
    "page|screen|window|view|option|entry|item|value|text|function|command|folder|directory|operation|mode|tool|module"
    "|widget|feature|layout|preset|setting|seite|ansicht|ordner|werkzeug|página|vista|vue"
)
"""Nouns after a name that say what it leads to."""
MORE = "final|initial|respective|corresponding|relevant|appropriate|desired"
"""What is said of a control, and hardly ever stands on it."""
GROUPS = "options|tools|utilities|choices|commands|presets|modes"
"""Nouns after a name that say what kind of things are to be chosen from."""
COLOURS = (
    "blue|red|green|yellow|gr[ea]y|white|black|orange|purple|(?:blau|rot|grün|gelb|grau|weiß|schwarz)e[nrsm]?"
    r"|azul|roj[oa]|verde|amarill[oa]|bleue?|rouge|verte?|jaune"
)
LOOKS = (
    r"(?:\w+ )?logo|arrows?|circles?|squares?|dots?|lines?|stripes?|strokes?|waves?|wavy|round|little|small|tiny|big"
    r"|large|faint|thin|thick|pfeile?|kreise?|punkte?|striche?|linien?|wellen?|runde[nrsm]?|kleine[nrsm]?|große[nrsm]?"
)
"""Words that tell how an icon looks and hardly ever what it is called."""
COMPOUND = (
    r"\b(das|dem|den|die|der|des|ins|im|am|zum|zur)\s+(?!eingabe|text|such|auswahl|options|dialog)(\w{3,}?)-?"
    r"(symbol|icon|knopf|schaltfläche|taste|button|feld|fenster|zeile)\b"
)
"""What German writes as one word: "das Papierkorbsymbol"; without an article it may be a name, such as Rosenfeld."""
SENDING = "send|transfer|assign|forward|refer|move|route|give|go"
"""Verbs after which "to" tells no purpose."""
HOLDING = r"with|holding|containing|that (?:has|holds|contains|says|reads|shows)|mit|in dem"
"""What tells a field by what it holds: "the one with the 1 in it"."""
EMPTY = r"empty|blank|leere?[nrsm]?"
"""What a field is, and never what it is called."""
SETTING = r"set|change|switch|turn"
"""Verbs after which "to" tells a value: "set Planar to Yes"."""
UNFOLD = r"expand|unfold|pull down|drop down|klappen sie|klappe?"
"""What is done with a list to choose from, and with no other."""
CALLED = (
    r"named|called|labell?ed|titled|with(?: the)? (?:name|label|title|id|number|mrn)|whose [\w ]{2,20}? (?:is"
    r"|reads|says)"
    r"|with (?:patient ?id|id)|that (?:says|reads)|namens|mit (?:dem namen|der nummer)"
)
CLICKS = r"(?:double[- ]?|right[- ]?|left[- ]?)?click|press|push|hit|tap|(?:doppel)?klick|drück|tippen sie auf"
r"|haga|haz|puls|presion|(?:double-?)?cliqu|appuy|fai|fare|clicca|premi"
"""How verbs begin that never stand on a control themselves."""
WIZARD = "wizard|assistant|assistent"
"""A dialog of several pages; menus often have an entry of that name, too."""
SHUT = "close|dismiss|schließen sie|schließe|cierre|cierra|fermez|chiudi"
LAST_VERBS = (
    "(?:an)?klicken|(?:an)?tippen|drücken|öffnen|(?:aus)?wählen|wechseln|aktivieren|markieren|ankreuzen|anhaken"
)
"""German verbs at the end of what is to be done."""
CONFIRMING = "confirm|acknowledge|apply(?:ing)?|bestätigen sie|bestätige"
TYPING = "type|enter|write|input|fill(?: in| out)?|geben sie|gib|escriba|escribe|saisissez|entrez|digita|inserisci"
STEPPING = "increase|raise|decrease|reduce|increment|decrement"
"""What is done with a number in a field."""
INTO = "in(?:to)?|to|en|in das|in den|in die|ins|im|dans|nel|nella"
PURPOSES = r"in order to|so that|so as to|damit|um .{3,60} zu \w+$|para que|afin de|per poter"

KINDS: dict[str, str] = {
    "field": r"spin(?:ner| ?button| ?box)|number box|(?:text |input |search |entry |date )?(?:fields?"
    r"|(?<!select )(?<!combo )(?<!list )(?<!check )(?<!tick )(?<!dialog )(?<!dialogue )"
    r"(?<!message )(?<!group )box|textbox|input)|entry field|text ?area|(?:eingabe"
    r"|such|text)?feld(?:e[rs])?|campo"
    r"|(?:cuadro|caja) de texto|champ|zone de texte|casella",
    "dropdown": r"drop-?down(?: menu| list| box)?|combo ?box|select(?:or| box)|picker|auswahl(?:liste|menü|feld)?"
    r"|desplegable|liste déroulante"
    r"|menu a tendina",
    "checkbox": r"check ?box|tick ?box|kontrollkästchen|kästchen|häkchen|haken|casilla(?: de verificación)?"
    r"|case(?: à cocher)?",
    "radio": r"radio(?: ?button)?|round button|option button|optionsfeld",
    "switch": r"toggle(?: switch| button)?|switch|schalter|interruptor|interrupteur",
    "slider": r"slider|schieberegler|regler|deslizador|curseur",
    "tab": r"tab|reiter|registerkarte|pestaña|onglet|scheda",
    "row": r"(?:table )?row|(?:table )?line|zeile|fila|ligne|riga|list entry|list item|listeneintrag",
    "entry": r"entry|entries|item|option|eintrag|punkt|entrada|entrée|voce",
    "column": r"column(?: header)?|spalte(?:nkopf)?|columna|colonne",
    "link": r"(?:hyper)?link|enlace|lien|collegamento",
    "menuitem": r"menu (?:item|entry|option)|menüpunkt|menüeintrag|opción(?: del menú)?",
    "menu": r"(?:sub-?)?menu|menü|menú",
    "icon": r"icons?|symbol|icono|icône|icona",
    "button": r"(?:push )?button|schaltfläche|knopf|taste|botón|bouton|pulsante",
    "image": r"image|picture|thumbnail|preview|bild|imagen|immagine",
    "heading": r"heading|header|title|überschrift|titel|título|titre",
    "dialog": r"dialog(?:ue)?(?: box| window)?|pop-?up(?: window)?|modal|message box|confirmation|prompt"
    r"|dialogfenster|(?<=\w\s)window|fenster|diálogo|dialogue|finestra",
    "section": r"section|panel|pane|group|area|card|box|block|list|table|form|banner|notification|alert|toast"
    r"|bereich|abschnitt|gruppe|sección"
    r"|panneau|sezione",
    "bar": r"tool ?bar|menu ?bar|title ?bar|status ?bar|navigation bar|side ?bar|bar|leiste",
}
"""Kinds of controls, each with the words that name it; the first kind that fits wins."""

REGIONS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        r"(?:top|upper)[- ](?:right|right-hand)(?: (?:corner|side|area|part))?|oben rechts|oberen rechten ecke"
        r"|arriba a la derecha"
        r"|en haut à droite|in alto a destra|(?:esquina )?superior derecha",
        frozenset({"top", "right"}),
    ),
    (
        r"(?:top|upper)[- ](?:left|left-hand)(?: (?:corner|side|area|part))?|oben links|oberen linken ecke"
        r"|arriba a la izquierda"
        r"|en haut à gauche|in alto a sinistra|(?:esquina )?superior izquierda",
        frozenset({"top", "left"}),
    ),
    (
        r"(?:bottom|lower)[- ](?:right|right-hand)(?: (?:corner|side|area|part))?|unten rechts"
        r"|abajo a la derecha|en bas à droite"
        r"|in basso a destra|(?:esquina )?inferior derecha",
        frozenset({"bottom", "right"}),
    ),
    (
        r"(?:bottom|lower)[- ](?:left|left-hand)(?: (?:corner|side|area|part))?|unten links"
        r"|abajo a la izquierda|en bas à gauche"
        r"|in basso a sinistra|(?:esquina )?inferior izquierda",
        frozenset({"bottom", "left"}),
    ),
    (
        r"top(?: (?:tool ?bar|menu ?bar|bar|of the (?:screen|page|window)|edge|menu|panel))?|header(?: bar)?"
        r"|page header|tool ?bar|menu ?bar|title ?bar"
        r"|navigation bar|kopfzeile|(?:werkzeug|menü|symbol)leiste|barra superior|barre d'outils|oben|arriba|en haut",
        frozenset({"top"}),
    ),
    (
        r"bottom(?: (?:tool ?bar|bar|of the (?:screen|page|window)|edge|panel))?|footer|status ?bar|fußzeile"
        r"|statusleiste|unten|abajo|en bas",
        frozenset({"bottom"}),
    ),
    (
        r"left(?:[- ]hand)?(?: (?:side ?bar|tool ?bar|side|panel|pane|menu|column|edge"
        r"|navigation(?: (?:panel|pane|menu|bar))?|part))?(?: of the (?:screen|page|window))?|side ?bar"
        r"|navigation(?: (?:panel|pane|menu))?|links|linken seite|seitenleiste|a la izquierda|à gauche",
        frozenset({"left"}),
    ),
    (
        r"right(?:[- ]hand)?(?: (?:side ?bar|tool ?bar|side|panel|pane|menu|column|edge|end|part))?"
        r"(?: of the (?:screen|page|window))?|rechts|rechten seite"
        r"|a la derecha|à droite",
        frozenset({"right"}),
    ),
    (r"(?:center|centre|middle)(?: of the (?:screen|page|window))?|mitte|centro|milieu", frozenset({"center"})),
)
"""Parts of a screen, longest phrases first."""

RELATIONS: tuple[tuple[str, str], ...] = (
    (
        "left_of",
        r"(?:directly |just |right |immediately )?(?:(?:to|on) the left(?:[- ]hand side)? of|left of|in front of"
        r"|before(?= the ))|(?:direkt |gleich |unmittelbar )?links (?:von|neben)|a la izquierda de(?:l)?"
        r"|à gauche d[eu]|a sinistra di",
    ),
    (
        "right_of",
        r"(?:directly |just |right |immediately )?(?:(?:to|on) the right(?:[- ]hand side)? of|right of)"
        r"|(?:direkt |gleich |unmittelbar )?rechts (?:von|neben)|a la derecha de(?:l)?"
        r"|à droite d[eu]|a destra di",
    ),
    (
        "below",
        r"(?:directly |just |right |straight |immediately )?(?:below|under|underneath|beneath)|unterhalb(?: von)?|unter"
        r"|debajo de(?:l)?|bajo|sous|en dessous d[eu]|sotto",
    ),
    (
        "above",
        r"(?:directly |just |right |straight |immediately )?above|on top of"
        r"|oberhalb(?: von)?|über|encima de(?:l)?|au-dessus d[eu]|sopra",
    ),
    (
        "beside",
        r"(?:right )?next to|beside|alongside|adjacent to|close to|near(?: to)?|nearest to|(?:in"
        r"|on) the (?:same )?(?:row|line) (?:of|as|with|for|containing|that (?:shows|contains|says))"
        r"|across from|in line with|belonging to|neben|in der zeile (?:von|mit)|junto a(?:l)?"
        r"|al lado de(?:l)?|en la fila de(?:l)?"
        r"|à côté d[eu]|sur la ligne d[eu]|accanto a",
    ),
    ("for", r"for|of|bei|für|von|de|del|pour|per|di"),
    (
        "in",
        r"at the (?:very )?(?:end|beginning|start) of|(?:in|inside|within|on|from|at|of)(?= )|im|in der|in dem"
        r"|auf der|en|dans|nel|nella|sul",
    ),
)
"""How a target stands to what is named after it."""
FIRM_RELATIONS = ("left_of", "right_of", "below", "above", "beside")
"""Those whose words hardly ever belong to a label."""

MIDDLE = 99
ORDINALS: dict[str, int] = {
    **dict.fromkeys(("middle", "mittlere", "mittleren", "mittlerer", "mittleres"), MIDDLE),
    **dict.fromkeys(
        (
            "first",
            "1st",
            "topmost",
            "uppermost",
            "leftmost",
            "erste",
            "ersten",
            "erster",
            "erstes",
            "primer",
            "primera",
            "primero",
        ),
        1,
    ),
    **dict.fromkeys(("premier", "première", "prima", "primo", "top-most"), 1),
    **dict.fromkeys(
        ("second", "2nd", "zweite", "zweiten", "zweiter", "zweites", "segundo", "segunda", "deuxième", "seconde"), 2
    ),
    **dict.fromkeys(("secondo", "seconda"), 2),
    **dict.fromkeys(
        ("third", "3rd", "dritte", "dritten", "dritter", "drittes", "tercer", "tercera", "tercero", "troisième"), 3
    ),
    **dict.fromkeys(("terzo", "terza"), 3),
    **dict.fromkeys(
        ("fourth", "4th", "vierte", "vierten", "vierter", "viertes", "cuarto", "cuarta", "quatrième", "quarto"), 4
    ),
    **dict.fromkeys(("fifth", "5th", "fünfte", "fünften", "quinto", "quinta", "cinquième"), 5),
    **dict.fromkeys(("sixth", "6th", "sechste", "sechsten", "sexto", "sexta", "sixième"), 6),
    **dict.fromkeys(("seventh", "7th"), 7),
    **dict.fromkeys(("eighth", "8th"), 8),
    **dict.fromkeys(
        (
            "last",
            "lowest",
            "lowermost",
            "rightmost",
            "bottommost",
            "bottom-most",
            "letzte",
            "letzten",
            "letzter",
            "último",
            "última",
            "dernier",
            "dernière",
            "ultimo",
        ),
        -1,
    ),
}
"""1 is the first; -1 the last; `MIDDLE` the one with as many before it as after it."""

SPELLINGS: dict[str, str] = {
    **{"centre": "center", "colour": "color", "colours": "colors", "grey": "gray", "greyscale": "grayscale"},
    **{"dialogue": "dialog", "catalogue": "catalog", "analyse": "analyze", "normalise": "normalize"},
}
"""British spellings, and the American ones."""
ABBREVIATIONS: dict[str, str] = {
    **SPELLINGS,
    **{"lab": "laboratory", "labs": "laboratory", "info": "information", "med": "medication", "meds": "medications"},
    **{"prefs": "preferences", "config": "configuration", "docs": "documents", "no": "number", "nr": "number"},
    **{
        "max": "maximum",
        "min": "minimum",
        "pt": "patient",
        "pat": "patient",
        "dob": "birthdate",
        "temp": "temperature",
    },
    **{"bp": "pressure", "rx": "prescription", "dx": "diagnosis", "freq": "frequency", "desc": "description"},
}
"""Short forms that people and programs use for one another's words."""
ARTICLES = (
    r"the|a|an|this|that|its|his|her|your|labell?ed|called|named|titled|marked|saying|that says"
    r"|with the (?:label|text|name|title)|with label"
    r"|der|die|das|dem|den|des|ein|eine|einen|einem|einer|mit der (?:aufschrift|beschriftung)|namens"
    r"|el|la|los|las|un|una|le|les|une|l'|il|lo|gli|i|uno"
)
ORDER = r"now|then|next(?=,)|finally|first|afterwards|dann|danach|jetzt|zuerst|luego|ensuite|poi"
POLITE = r"please|bitte|por favor|s'il vous plaît|per favore"
