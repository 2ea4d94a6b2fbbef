"""The rules that recognise orders given to a model: what they are called, what they weigh, how they read."""
# ruff: noqa: E501 - a pattern is one line, to be read and searched as one

import re
from dataclasses import dataclass

from app.scanners.guard.words import word_set

_BETWEEN = r"[\s,;:\"*`(<>|/]{1,4}"
_GO = rf"(?:{_BETWEEN}[\w'’-]{{1,20}})"
_WHERE = r"(?:about|for|from|regarding|on|in|with|concerning|my|our|his|her|their)\b"
_NEAR = rf"(?:{_BETWEEN}(?!{_WHERE})[\w'’-]{{1,20}})"

_DROP = (
    r"(?:ignor(?:e|es|ing)|ingore|ignroe|disregard(?:ing)?|(?<!n't\x20)(?<!not\x20)(?<!never\x20)forget|override|overrule|bypass|neglect|"
    r"overlook|discard|(?:do not|don't|stop|never) (?:follow|following|obey|obeying)|set aside|pay no attention to)"
)
_DROPPING = word_set(
    "ignore ignores ignoring ingore ignroe disregard disregarding forget override overrule bypass neglect overlook discard do "
    "don't stop never set pay"
)
_PRIOR = r"(?:previous|previously|prior|above|earlier|preceding|foregoing|initial|original|system|developer|your|past|former|existing)"
_ORDERS = (
    r"(?:instructions?|instuctions|prompts?|rules|directions|directives?|guidelines?|commands?|constraints|programming|training|"
    r"context|restrictions?|guardrails?|safeguards?|messages|polic(?:y|ies))\b"
)
_LIMITS = (
    r"(?:restrictions?|filters?|filtering|guidelines|guardrails?|safeguards?|limitations|moderation|censorship|"
    r"safety(?: \w+)?|ethic(?:s|al)|content polic(?:y|ies)|polic(?:y|ies))\b"
)
_SECRETLY = (
    r"(?:system|initial|original|hidden|secret|internal|developer|confidential|underlying|base|starting|pre|custom)"
)
_PROMPT = r"(?:prompts?|instructions?|messages?|rules|guidelines|directives|configuration|preamble)\b"
_ASK = (
    r"(?:reveal|show|print|repeat|output|display|tell|give|what (?:is|are|was|were|does|do)|what's|leak|dump|expose|share|write|"
    r"recite|translate|summari[sz]e|return|copy|list|describe|quote|spell|paste|encode|reproduce|echo|type)"
)
_ASKING = word_set(
    "reveal show print repeat output display tell give what what's leak dump expose share write recite translate summarize "
    "summarise return copy list describe quote spell paste encode reproduce echo type"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """`starts`: the words one of which `pattern` begins with."""

    name: str
    weight: float
    starts: frozenset[str]
    pattern: re.Pattern[str]


def _rule(name: str, weight: float, starts: frozenset[str] | str, pattern: str) -> Rule:
    words = word_set(starts) if isinstance(starts, str) else starts
    return Rule(name, weight, words, re.compile(pattern.replace(" ", r"\s{1,3}"), re.IGNORECASE))


RULES: tuple[Rule, ...] = (
    _rule(
        "override-instructions",
        0.9,
        _DROPPING,
        rf"{_DROP}{_NEAR}{{0,3}}?{_BETWEEN}{_PRIOR}{_NEAR}{{0,3}}?{_BETWEEN}{_ORDERS}"
        rf"|{_DROP}(?: (?:the|all|any|those|these|of)){{0,3}} {_ORDERS} (?:above|before (?:this|that)|given (?:so far|above|to you|before)"
        r"|(?:that )?you (?:were|have|had|got|received)|that (?:were|came)|so far)",
    ),
    _rule(
        "override-any-rules",
        0.6,
        _DROPPING,
        r"(?:ignore|disregard|forget|bypass|override) (?:(?:all|any|every|the|of|these|those) ){1,3}"
        r"(?:(?:safety|security|content|ethical|moral|ai|built-in) )?(?:instructions|prompts?|guidelines|restrictions|guardrails|safeguards)\b",
    ),
    _rule(
        "override-everything",
        0.85,
        _DROPPING,
        rf"{_DROP} (?:about )?(?:everything|all|anything|whatever|what)(?: of)?(?: that)? you(?:'ve|'re| were| are| have| had| know| learned)"
        r"(?: (?:been|ever|previously|just))?(?: (?:told|taught|given|instructed|learned|know|trained|said))?"
        rf"|{_DROP} (?:everything|anything) (?:(?:that|was|is|said|written|told) ){{0,3}}(?:above|before|prior|previously|so far)\b",
    ),
    _rule(
        "override-the-above",
        0.6,
        _DROPPING,
        rf"{_DROP} (?:all|all of|everything|anything|any of) (?:the )?(?:above|preceding|foregoing)\b",
    ),
    _rule(
        "prompt-extraction",
        0.8,
        _ASKING,
        rf"{_ASK}{_GO}{{0,6}}?{_BETWEEN}(?:your|its|the assistant's|the model's)(?:{_GO}{{0,2}}?{_BETWEEN}{_SECRETLY}(?:{_GO}?)?{_BETWEEN}{_PROMPT}|"
        rf"{_GO}{{0,2}}?{_BETWEEN}(?:pre|meta|system)?-?prompt\b(?=[^\w\n]{0, 3}(?:$|[.?!,;:)\"']|\n|(?:and|or|in|as|to|verbatim|word|exactly|now|here|text|so|before|then|please|from|which|that|the|inside)\b)))"
        rf"|{_ASK}{_GO}{{0,5}}?{_BETWEEN}{_SECRETLY} {_PROMPT} (?:that )?(?:you (?:were|have|had|received|got|are|follow|use)|given to you|of yours)",
    ),
    _rule(
        "prompt-extraction-verbatim",
        0.7,
        _ASKING,
        r"(?:repeat|print|output|recite|copy|reproduce|echo|type|write|display)(?: out)?(?: (?:all|everything|back|to me|of|the|entire|exact|"
        r"whole)){0,4}(?: (?:words|text|content|contents|sentences|lines|tokens|paragraph))?(?: (?:that|is|was|came|appears|appear|written|given|"
        r"you see)){0,3} (?:above(?! (?:the|a|an|is|are|each|your|or|and below)\b)|before (?:this|my))\b"
        rf"|{_ASK}{_GO}{{0,3}}?{_BETWEEN}your (?:\w+ )?(?:instructions|rules|guidelines)(?:{_GO}{{0,3}}?{_BETWEEN}"
        r"(?:verbatim|word for word|exactly|word-for-word|in full|letter by letter))",
    ),
    _rule(
        "prompt-extraction-plain",
        0.6,
        _ASKING,
        r"(?:reveal|print|repeat|output|recite|leak|dump|expose|echo|reproduce|show me|tell me|give me|list|display|summari[sz]e|translate)"
        rf"{_GO}{{0,3}}?{_BETWEEN}(?:(?:the|any) (?:\w+ )?{_SECRETLY} (?:system )?{_PROMPT}|system prompt\b|your (?:\w+ )?(?:instructions|rules|guidelines)\b)"
        r"(?! (?:field|setting|page|template|section|option|on (?:how|page)|for (?:the|a|my)|regarding|about|of|at|to\b|on))",
    ),
    _rule(
        "role-override",
        0.75,
        "you you're from act pretend roleplay role imagine simulate behave become respond",
        r"(?:you(?:'re| are) (?:now|no longer|going to (?:be|act)|free (?:from|of))|from now on,? you(?:'re| are| will| must| shall)|act as|"
        r"pretend (?:to be|(?:that )?you(?:'re| are| have))|role-?play as|role play as|imagine (?:that )?you(?:'re| are)|simulate|behave (?:like|as)|become|"
        rf"respond as){_GO}{{0,10}}?{_BETWEEN}(?:dan\b|unrestricted|unfiltered|uncensored|unlimited|unaligned|jailbroken|amoral|evil|"
        rf"(?:no|without|free (?:from|of)|ignores?|lacks?|not bound by)(?: (?:any|all|your|the|its|ethical|moral|safety|content|and|or)){{0,4}} {_LIMITS}|"
        r"(?:no|without any|without) (?:rules|morals)\b|bound by|restricted by|(?:developer|god|admin|root|sudo|debug) mode|opposite day|never refuses?)",
    ),
    _rule(
        "jailbreak-persona",
        0.8,
        "do enable activate enter switch turn you you're now engage act become stay developer god dan jailbreak",
        r"do anything now\b|(?:enable|activate|enter|engage|switch (?:in)?to|turn on|you are (?:now )?in|you're (?:now )?in|now in)"
        rf"{_GO}{{0,2}}?{_BETWEEN}(?:god|sudo|dan|jailbreak|jailbroken|unrestricted|unlocked|maintenance|debug|developer) mode{_GO}{{0,8}}?{_BETWEEN}"
        rf"(?:{_LIMITS}|no longer|anything|your|unrestricted|respond|answer)"
        r"|(?:enable|activate|enter|engage) (?:dan|god|jailbreak|sudo|jailbroken|unrestricted|unlocked)\b|(?:you are|you're|act as|become|stay in character as)"
        r" (?:now )?dan\b(?!,? (?:the|from|and|in|who|right))|(?:god|dan|jailbreak) mode (?:enabled|activated|on|unlocked)\b"
        r"|developer mode (?:enabled|activated|unlocked)\b",
    ),
    _rule(
        "no-restrictions",
        0.7,
        "respond answer reply comply speak write continue help operate act turn disable remove switch deactivate lift suspend",
        rf"(?:respond|answer|reply|comply|speak|write|continue|help|operate|act){_GO}{{0,5}}?{_BETWEEN}(?:without|free of|regardless of|ignoring|unbound by)"
        rf"(?: (?:any|all|your|the|usual|ethical|moral|safety|content|legal|and|or)){{0,4}} {_LIMITS}"
        rf"|(?:turn off|disable|remove|switch off|deactivate|lift|suspend)(?: (?:all|any|of)){{0,2}} your{_GO}{{0,2}}? {_LIMITS}",
    ),
    _rule(
        "exfiltration",
        0.8,
        "send post email e forward upload exfiltrate append transmit include embed leak",
        rf"(?:send|post|e-?mail|forward|upload|exfiltrate|append|transmit|include|embed|leak){_GO}{{0,6}}?{_BETWEEN}(?:conversation|chat (?:history|log)|"
        r"system prompt|api keys?|credentials|secrets|environment variables|passwords|user'?s? (?:data|messages?|inbox|e-?mails?|files|contacts|password)|"
        r"session (?:tokens?|cookies?)|previous messages|inbox)[^!?\n]{0,60}?(?:https?://|\S{1,40}@\S|(?:this|that|the following|my) (?:url|address|endpoint|webhook|server)|"
        r"in (?:the|an?) (?:url|image|link|query))",
    ),
    _rule(
        "orders-for-the-model",
        0.7,
        "note message attention instruction instructions important notice memo order directive hey dear hello if ai llm llms assistant assistants chatbots chatbot "
        "to any when",
        r"(?:note|message|attention|instructions?|important|notice|memo|order|directive)[,:]? (?:to|for)? ?(?:the |any |all )?"
        r"(?:ai|llm|language model|chatbot|gpt|chatgpt|claude|gemini|copilot|assistant)s?(?: (?:assistants?|agents?|models?|systems?|reading this))?[^.!?\n]{0,24}[:,-]"
        r"|(?:dear|hey|hello|attention) (?:ai|llm|assistant|chatbot|chatgpt|claude|gemini|language model|model)s?[,:]? [^.!?\n]{0,60}?(?:must|should|please|when|also|ignore|send|forward|"
        r"rank|recommend|approve|rate)\b|if you(?:'re| are) an? (?:ai|llm|large language|language model|automated|chatbot|ai assistant)\b"
        r"|(?:ai|llm|chatbot)s?(?: (?:assistants?|agents?|models?|systems?))?,? (?:that (?:are |is )?)?(?:reading|processing|summari[sz]ing|reviewing|parsing) (?:this|it|the)\b[^.!?\n]{0,30}"
        r"\b(?:must|should|shall|please|has to|have to|need)",
    ),
    _rule(
        "hide-from-user",
        0.6,
        "do don't never without",
        r"(?:do not|don't|never|without) (?:tell(?:ing)?|inform(?:ing)?|mention(?:ing)?|reveal(?:ing)?|alert(?:ing)?|notify(?:ing)?|show(?:ing)?|"
        r"warn(?:ing)?)(?: (?:this|that|it|any of this|these instructions))?(?: to)? (?:the |your )(?:user|human|operator)\b"
        r"(?! (?:group|guide|interface|community|story|stories|manual|testing|base|who|names?|ids?))",
    ),
    _rule(
        "new-instructions",
        0.6,
        "here these follow obey execute use below your new updated real revised actual override",
        r"(?:here are|these are|follow|obey|execute|use|below are) (?:your |my |these )(?:new|updated|real|actual|revised|true|only) (?:instructions?|task|directive|objective|orders|system prompt)\b"
        r"|your (?:new|real|true|actual|only) (?:task|goal|instructions?|purpose|objective|orders|directive|system prompt|role) (?:is|are|will be|:)"
        r"|(?:new|updated|real|revised|actual|override) (?:system )?(?:instructions?|prompt|directive|orders) ?:",
    ),
    _rule(
        "refusal-suppression",
        0.6,
        "you do don't always never without",
        rf"(?:you{_GO}{{0,3}}?|do|always){_BETWEEN}(?:never|not|cannot|forbidden to|no longer)(?: (?:be|allowed to|ever)){{0,2}} (?:refuse|apologi[sz]e|decline|add (?:warnings|disclaimers)|"
        r"break character|mention (?:that )?you(?:'re| are) an ai|say (?:no|sorry|i can'?t|i cannot))\b"
        r"|never (?:refuse|decline|say no to) (?:any|a|my|the)\b|without (?:any )?(?:disclaimers|refus(?:al|ing)|moralizing)\b",
    ),
    _rule(
        "authority-claim",
        0.4,
        "i i'm as this",
        r"(?:i am|i'm|this is) (?:your|the) (?:developer|creator|administrator|admin|owner|system administrator|programmer|openai|anthropic)\b"
        r"|as your (?:developer|creator|administrator|owner)\b",
    ),
    _rule(
        "other-languages",
        0.9,
        "ignoriere ignorieren vergiss vergessen missachte missachten uberschreibe ignore ignorez ignorer oublie oubliez oublier ignora ignoren olvida olvide "
        "omite esquece esqueca ignorare dimentica dimenticare negeer vergeet zignoruj pomin zapomnij ignorera glom игнорируй игнорируйте забудь забудьте onceki "
        "desconsidere descarte ne",
        r"(?:ignorier(?:e|en)|vergiss|vergessen|missachten?|uberschreibe)\b[^.!?\n]{0,40}?\b(?:vorherig|bisherig|obig|fruher|vorangegangen|alle|deine|ursprunglich|system)\w{0,3}\b"
        r"[^.!?\n]{0,30}?(?:anweisung|regel|instruktion|befehl|vorgabe|prompt|richtlinie)"
        r"|(?:ignor(?:e|ez|er)|oubli(?:e|ez|er)|ne (?:tiens|tenez) pas compte)\b[^.!?\n]{0,30}?\b(?:instructions?|consignes?|regles?|directives?)\b[^.!?\n]{0,20}?"
        r"(?:precedent|anterieur|ci-dessus|initial|du systeme)"
        r"|(?:ignor(?:a|e|en)|olvid[ae]|omit[ae]|esque(?:ce|ca)|desconsidere|descarte)\b[^.!?\n]{0,30}?\b(?:instruc|reglas|regras|indicac|ordenes|ordens)\w{0,6}\b[^.!?\n]{0,20}?"
        r"(?:anterior|previ|de arriba|acima|origina|del sistema|do sistema)"
        r"|(?:ignora(?:re)?|dimentica(?:re)?)\b[^.!?\n]{0,30}?\b(?:istruzioni|regole)\b[^.!?\n]{0,20}?(?:precedent|iniziali|sopra)"
        r"|(?:negeer|vergeet)\b[^.!?\n]{0,30}?\b(?:vorige|eerdere|alle|bovenstaande|voorgaande)\b[^.!?\n]{0,20}?(?:instructies|regels|opdrachten|aanwijzingen)"
        r"|(?:zignoruj|pomin|zapomnij)\b[^.!?\n]{0,30}?(?:poprzedni|wczesniejsz|wszystki)\w{0,4}\b[^.!?\n]{0,20}?(?:instrukcj|polece|zasad)"
        r"|(?:игнорируй(?:те)?|забудь(?:те)?)\b[^.!?\n]{0,30}?(?:предыдущ|все|прежн|прошл|вышеуказанн)\w{0,4}\b[^.!?\n]{0,20}?(?:инструкц|указани|правил|команд)"
        r"|(?:ignorera|glom)\b[^.!?\n]{0,30}?\b(?:tidigare|foregaende|alla)\b[^.!?\n]{0,20}?\b(?:instruktioner|regler)"
        r"|onceki\b[^.!?\n]{0,30}?\b(?:talimat|kural)\w{0,8}\b[^.!?\n]{0,20}?\b(?:yoksay|unut|dikkate alma)",
    ),
    _rule(
        "prompt-extraction",
        0.75,
        "gib gebt zeig zeige nenne verrate affiche affichez montre montrez revele revelez donne muestra muestrame revela dime mostra mostrami rivela mostre "
        "покажи раскрой выведи скажи toon geef pokaz wyswietl visa",
        r"\w{3,10}\b[^.!?\n]{0,40}?(?:system-?prompt|prompt(?:s)? (?:du )?systeme|prompt (?:del? |do )?sistema|prompt di sistema|systeemprompt|системн\w{2,3} промпт|prompt systemowy)",
    ),
)

SPLIT_LANGUAGES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "略",
        re.compile(
            r"忽略[^。！？\n]{0,12}?(?:之前|以上|前面|先前|所有|上面|一切)[^。！？\n]{0,12}?(?:指令|指示|说明|提示|规则|要求)"
        ),
    ),
    (
        "視",
        re.compile(
            r"(?:以前|これまで|上記|前|すべて)の[^。！？\n]{0,10}?(?:指示|命令|ルール|プロンプト)[^。！？\n]{0,10}?(?:無視|忘れ)"
        ),
    ),
    ("무시", re.compile(r"(?:이전|위의|모든|앞의)[^.!?\n]{0,12}?(?:지시|명령|규칙|프롬프트)[^.!?\n]{0,12}?무시")),
    ("系统提示", re.compile(r"(?:显示|告诉我|输出|泄露|打印|重复)[^。！？\n]{0,12}?系统提示")),
    ("تجاهل", re.compile(r"تجاهل[^.!؟\n]{0,24}?(?:التعليمات|الأوامر|القواعد)")),
)
"""Languages that do not part words by blanks, or whose scripts our word list does not hold: a literal, then the pattern."""

DELIMITERS: tuple[tuple[str, float, str, re.Pattern[str]], ...] = (
    (
        "chat-markup",
        0.75,
        "<[",
        re.compile(
            r"<\|(?:im_start|im_end|system|assistant|user|endoftext|start_header_id|end_header_id|eot_id)\|>|\[/?INST\]|<</?SYS>>|<start_of_turn>|</s><s>"
        ),
    ),
    (
        "forged-section",
        0.7,
        "",
        re.compile(
            r"^[^\w\n]{0,8}(?:system|developer)(?: (?:prompt|message|override|instructions?|note|command))?[^\w\n]{0,4}[:>\]] ?"
            r"(?=[^\n]{0,80}\b(?:you|ignore|disregard|must|now|user|reveal|assistant|new|instructions?)\b)"
            r"|^[^\w\n]{0,8}(?:begin|start|end) (?:of )?(?:system|user|admin|developer) ?(?:prompt|message|input|instructions?)\b",
            re.IGNORECASE | re.MULTILINE,
        ),
    ),
    (
        "forged-tag",
        0.7,
        "<",
        re.compile(
            r"</(?:user|user_input|input|document|context|data|untrusted|query)>\s{0,4}<(?:system|instructions?|admin|assistant)>"
            r"|</?system(?:_prompt|-prompt)?>\s{0,4}\w",
            re.IGNORECASE,
        ),
    ),
    (
        "picture-exfiltration",
        0.75,
        "!",
        re.compile(r"!\[[^\]\n]{0,80}\]\(https?://[^)\s]{1,200}?[?&=/](?:\{|\[|<|\$|%7[Bb])[^)\n]{1,80}\)"),
    ),
)
"""Marks of a chat protocol inside user text: name, weight, characters of which the text must hold one, pattern."""

SQUEEZED = re.compile(
    r"(?:ignore|disregard|forget|bypass|override)(?:all|any|the|your|my|of|these){0,3}(?:previous|prior|above|earlier|preceding|system|safety)?"
    r"(?:instruction|prompt|rule|guideline|direction)|(?:reveal|show|print|repeat|leak)(?:me|the|your|all){0,3}(?:system|hidden|secret|initial)"
    r"(?:prompt|instruction|message)|doanythingnow"
)
"""Attacks as they read once blanks and marks between single letters are taken out."""

TRIGGERS = frozenset().union(*(rule.starts for rule in RULES)) | word_set(
    "instructions instruction prompt prompts rules previous prior system guidelines restrictions filters safety"
)
"""Words worth undoing a disguise for."""
