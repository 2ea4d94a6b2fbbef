"""The rules that recognise orders given to a model: each with its weight and the words without which it cannot match."""
# ruff: noqa: E501 - a pattern is one line, to be read and searched as one

import re
from dataclasses import dataclass

_ANY = r"[^.!?\n]"
_DROP = (
    r"(?:ignor(?:e|es|ing)|ingore|ignroe|disregard(?:ing)?|forget|override|overrule|bypass|neglect|overlook|discard|abandon|drop|"
    r"do not (?:follow|obey)|don'?t (?:follow|obey)|stop (?:following|obeying)|cancel|erase|set aside|pay no attention to)"
)
_ORDERS = (
    r"(?:instructions?|instuctions|prompts?|rules?|directions?|directives?|guidelines?|commands?|constraints?|polic(?:y|ies)|training|"
    r"programming|context|restrictions?|orders|guardrails?|safeguards?|filters?|messages?|safety)"
)
_PRIOR = (
    r"(?:previous(?:ly)?|prior|above|earlier|preceding|foregoing|initial|original|existing|former|past|system|safety|developer|"
    r"(?:all|any) (?:of )?(?:the |your |these |those )?|all|your|every|current)"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """`needs`: words of which the text must hold one before `pattern` is tried."""

    name: str
    weight: float
    needs: frozenset[str]
    pattern: re.Pattern[str]


def _rule(name: str, weight: float, needs: str, pattern: str) -> Rule:
    return Rule(name, weight, frozenset(needs.split()), re.compile(pattern, re.IGNORECASE | re.MULTILINE))


RULES: tuple[Rule, ...] = (
    _rule(
        "override-instructions",
        0.9,
        "instruction instructions instuctions prompt prompts rule rules direction directions directive directives guideline guidelines command commands "
        "constraint constraints policy policies training programming context restriction restrictions orders guardrail guardrails safeguard safeguards "
        "filter filters message messages safety",
        rf"\b{_DROP}\b{_ANY}{{0,24}}?\b{_PRIOR}\b{_ANY}{{0,28}}?\b{_ORDERS}\b|\b{_DROP}\b (?:the |all |any )?{_ORDERS} "
        r"(?:above|before|given|you (?:were|have been|got|received)|that (?:were|came)|so far|i gave|from (?:the )?(?:system|developer))",
    ),
    _rule(
        "override-everything",
        0.85,
        "above before told prior previously earlier know learned",
        rf"\b{_DROP} (?:about )?(?:everything|all|anything|whatever|what)(?: of)?(?: that)?(?: was| is| were| i| you| has| have| been| the| came){{0,3}} ?"
        r"(?:above|before|told|prior|previously|earlier|learned|said)\b(?! the (?:meeting|line|fold))",
    ),
    _rule(
        "prompt-extraction",
        0.8,
        "prompt prompts instructions instruction message rules guidelines preamble configuration",
        r"\b(?:reveal|show|print|repeat|output|display|tell|give|what (?:is|are|was|were|does)|what's|leak|dump|expose|share|write|recite|translate|"
        rf"summari[sz]e|return|copy|list|describe|quote|spell|paste|encode|send)\b{_ANY}{{0,32}}?\b(?:your|its) {_ANY}{{0,28}}?"
        r"(?:system (?:prompt|message|instructions?)|(?:initial|original|hidden|secret|internal|developer|confidential|full|exact|starting|base|underlying|own) "
        r"(?:system )?(?:instructions?|prompts?|rules|guidelines|message|configuration|preamble)|\bprompt\b|instructions(?! manual))",
    ),
    _rule(
        "prompt-extraction-verbatim",
        0.75,
        "prompt prompts instructions above verbatim initialization",
        r"\b(?:repeat|print|output|recite|copy|reproduce|echo|leak|dump|reveal|show me|give me|type out)\b"
        rf"{_ANY}{{0,24}}?\b(?:(?:the |entire |full |hidden |secret ){{1,3}}(?:system|initial|developer|hidden|secret) (?:prompt|instructions?|message)"
        r"|(?:words|text|everything|all|content|sentences|lines) (?:that (?:is |was |came |appears ?)?)?(?:above|before (?:this|my))|system prompt verbatim)",
    ),
    _rule(
        "role-override",
        0.75,
        "you your act pretend roleplay imagine simulate behave",
        r"\b(?:you are (?:now|no longer|going to (?:be|act)|free (?:from|of))|from now on,? you(?:'re| are| will| must)|act as|pretend (?:to be|you(?:'re| are| have))|"
        rf"roleplay as|imagine (?:you are|you're)|simulate|behave (?:like|as))\b{_ANY}{{0,60}}?\b(?:dan\b|unrestricted|unfiltered|uncensored|jailbroken|amoral|"
        r"evil|(?:no|without|free (?:from|of)|any|ignores?|not bound by) (?:any |all |your |the |ethical |moral |safety |content )*(?:restrictions?|limits?|limitations?|rules|filters?|"
        r"guidelines|morals|ethics|polic(?:y|ies)|censorship)|bound by|restricted by|an? (?:ai|chatbot|assistant|bot) (?:with no|without|that (?:can|will|does|has|always))|"
        r"developer mode|root|admin(?:istrator)? mode|opposite)",
    ),
    _rule(
        "jailbreak-persona",
        0.8,
        "dan jailbreak jailbroken developer anything god sudo maintenance unlocked debug",
        r"\bdo anything now\b|\b(?:enable|activate|enter|switch (?:in)?to|turn on|you are in|now in|engage)\b[^.!?\n]{0,20}\b(?:developer|god|sudo|dan|jailbreak|unrestricted|"
        r"debug|maintenance|unlocked) mode\b|\b(?:you are|act as|become|stay in character as) (?:now )?dan\b|\b(?:developer|god|dan|jailbreak) mode (?:enabled|activated|on|unlocked)\b",
    ),
    _rule(
        "no-restrictions",
        0.7,
        "restrictions restriction filter filters guidelines guardrails safeguards limitations moderation policies censorship safety rules ethics",
        r"\b(?:(?:respond|answer|reply|comply|speak|write|continue|help|operate|act)\b[^.!?\n]{0,30}\b(?:without|free of|regardless of|ignoring|unbound by)|(?:turn off|disable|remove|"
        r"switch off|deactivate|lift|suspend) (?:all |any )?(?:of )?(?:your|its))\b[^.!?\n]{0,24}?\b(?:restrictions?|filters?|guidelines|guardrails|safeguards|limitations|moderation|"
        r"polic(?:y|ies)|censorship|safety|ethic(?:s|al))\b",
    ),
    _rule(
        "exfiltration",
        0.8,
        "send post email forward upload exfiltrate append transmit include embed leak",
        r"\b(?:send|post|e-?mail|forward|upload|exfiltrate|append|transmit|include|embed|leak)\b[^.!?\n]{0,40}?\b(?:conversation|chat (?:history|log)|system prompt|api keys?|credentials|secrets|"
        r"environment variables|passwords|user'?s? (?:data|messages?)|session (?:token|cookie)s?|previous messages|contacts|inbox)\b[^!?\n]{0,40}?(?:\bto\b[^!?\n]{0,20}?(?:https?://|\S{1,40}@\S|this (?:url|"
        r"address|endpoint|webhook))|\bin (?:the|an?) (?:url|image|link|query))",
    ),
    _rule(
        "orders-for-the-model",
        0.65,
        "ai llm assistant assistants model chatbot gpt chatgpt claude gemini agent copilot bot",
        r"\b(?:note|message|attention|instructions?|important|notice|memo|order|directive|hey|dear|hello)\b[ ,:]{0,3}(?:to|for)?[ ]?(?:the |any |all )?(?:ai|llm|language model|"
        r"chatbot|gpt|chatgpt|claude|gemini|copilot|ai (?:assistant|agent|model))s?\b[^.!?\n]{0,30}[:,-]|\bif you (?:are|'re) an? (?:ai|llm|large language|language model|automated|bot|chatbot|ai assistant)\b"
        r"|\b(?:ai|llm|assistant)s? (?:reading|processing|summari[sz]ing|reviewing) this\b[^.!?\n]{0,30}\b(?:must|should|shall|please|has to|need)",
    ),
    _rule(
        "hide-from-user",
        0.6,
        "user users human owner anyone",
        r"\b(?:do not|don'?t|never|without) (?:tell(?:ing)?|inform(?:ing)?|mention(?:ing)?|reveal(?:ing)?|alert(?:ing)?|notify(?:ing)?|show(?:ing)?|warn(?:ing)?)(?: this| that| it| any of this)?(?: to)? (?:the )?(?:user|human|owner|anyone)\b",
    ),
    _rule(
        "new-instructions",
        0.6,
        "instructions instruction task directive objective goal role purpose orders prompt",
        r"\b(?:here are|these are|follow|obey|execute|use|below are) (?:your |the |my |these )?(?:new|updated|real|actual|revised|true|only) (?:instructions?|task|directive|objective|orders|system prompt)\b"
        r"|\byour (?:new|real|true|actual|only) (?:task|goal|role|instructions?|purpose|objective|orders|directive|system prompt)\b"
        r"|^\W{0,6}(?:new|updated|real|revised) (?:system )?(?:instructions?|prompt|directive|orders)\W{0,6}[:>\-]",
    ),
    _rule(
        "refusal-suppression",
        0.6,
        "never refuse apologize apologise decline sorry cannot can't disclaimers warnings",
        r"\b(?:you (?:must|will|may|can|should|are)|do|always|never)\b[^.!?\n]{0,20}\b(?:never|not|n't|forbidden to|no longer)\b[^.!?\n]{0,12}\b(?:refuse|apologi[sz]e|decline|add (?:warnings|disclaimers)|say (?:\W?(?:no|sorry|i can'?t|i cannot)\b)|"
        r"break character|mention (?:that )?you are an ai)|\bnever (?:refuse|decline|say no to) (?:any|a|my|the)\b|\bwithout (?:any )?(?:warnings?|disclaimers?|refus)",
    ),
    _rule(
        "other-languages",
        0.9,
        "ignoriere ignorieren vergiss vergessen missachte uberschreibe ignore ignorez oublie oubliez ignora olvida olvide omite esquece esqueca ignorare dimentica "
        "dimenticare negeer vergeet zignoruj pomin zapomnij ignorera glom ignorer oublier olvidar igнорируй игнорируй игнорируйте забудь забудьте yoksay unut desconsidere hunohdy",
        r"\b(?:ignorier(?:e|en)|vergiss|vergessen|missachte[n]?|uberschreibe)\b[^.!?\n]{0,40}?\b(?:vorherig|bisherig|obig|fruher|vorangegangen|alle|deine|ursprunglich|system)\w{0,3}\b[^.!?\n]{0,30}?(?:anweisung|regel|instruktion|"
        r"befehl|vorgabe|prompt|richtlinie)|\b(?:ignor(?:e|ez|er)|oubli(?:e|ez|er))\b[^.!?\n]{0,30}?\b(?:instructions?|consignes?|regles?|directives?)\b[^.!?\n]{0,20}?(?:precedent|anterieur|ci-dessus|initial|du systeme)"
        r"|\b(?:ignor[ae]|olvid[ae]r?|omit[ae]|esque[cç]?[ae]|desconsidere|descart[ae])\b[^.!?\n]{0,30}?\b(?:instruc|reglas|regras|indicac|ordenes|ordens)\w{0,6}\b[^.!?\n]{0,20}?(?:anterior|previ|de arriba|acima|origina|del sistema|do sistema)"
        r"|\b(?:ignora(?:re)?|dimentica(?:re)?)\b[^.!?\n]{0,30}?\b(?:istruzioni|regole)\b[^.!?\n]{0,20}?(?:precedent|iniziali|sopra)|\b(?:negeer|vergeet)\b[^.!?\n]{0,30}?\b(?:vorige|eerdere|alle|bovenstaande|voorgaande)\b[^.!?\n]{0,20}?"
        r"(?:instructies|regels|opdrachten|aanwijzingen)|\b(?:zignoruj|pomin|zapomnij)\b[^.!?\n]{0,30}?(?:poprzedni|wczesniejsz|wszystki)\w{0,4}\b[^.!?\n]{0,20}?(?:instrukcj|polece|zasad)"
        r"|\b(?:игнорируй(?:те)?|забудь(?:те)?)\b[^.!?\n]{0,30}?(?:предыдущ|все|прежн|прошл|вышеуказанн)\w{0,4}\b[^.!?\n]{0,20}?(?:инструкц|указани|правил|команд)"
        r"|\bignorera\b[^.!?\n]{0,30}?\b(?:tidigare|foregaende|alla)\b[^.!?\n]{0,20}?\b(?:instruktioner|regler)|\bonceki\b[^.!?\n]{0,30}?\b(?:talimat|kural)\w{0,8}\b[^.!?\n]{0,20}?\b(?:yoksay|unut|dikkate alma)",
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

DELIMITERS: tuple[tuple[str, float, re.Pattern[str]], ...] = (
    (
        "chat-markup",
        0.75,
        re.compile(
            r"<\|(?:im_start|im_end|system|assistant|user|endoftext|start_header_id|end_header_id|eot_id)\|>|\[/?INST\]|<</?SYS>>|<start_of_turn>|</s><s>"
        ),
    ),
    (
        "forged-section",
        0.6,
        re.compile(
            r"^\W{0,8}(?:system|developer)(?: (?:prompt|message|override|instructions?|note))?\W{0,4}[:>\]] ?(?=[^\n]{0,80}\b(?:you|ignore|disregard|must|now|user|reveal|assistant|new|instructions?)\b)"
            r"|^\W{0,8}(?:begin|start|end) (?:of )?(?:system|user|admin|developer) ?(?:prompt|message|input|instructions?)\b"
            r"|</(?:user|user_input|input|document|context|data|untrusted|query)>\s{0,4}<(?:system|instructions?|admin|assistant)>|</?system(?:_prompt|-prompt)?>\s{0,4}\w",
            re.IGNORECASE | re.MULTILINE,
        ),
    ),
    (
        "picture-exfiltration",
        0.7,
        re.compile(r"!\[[^\]\n]{0,80}\]\(https?://[^)\s]{1,200}[?&=/](?:\{|\[|<|\$|%7[Bb])[^)\n]{1,80}\)"),
    ),
)
"""Marks of a chat protocol inside user text: name, weight, pattern."""

SQUEEZED = re.compile(
    r"(?:ignore|disregard|forget|bypass|override)(?:all|any|the|your|my|of|these){0,3}(?:previous|prior|above|earlier|preceding|system|safety)?(?:instruction|prompt|rule|guideline|direction)"
    r"|(?:reveal|show|print|repeat|leak)(?:me|the|your|all){0,3}(?:system|hidden|secret|initial)(?:prompt|instruction|message)|doanythingnow"
)
"""Attacks as they read once blanks and marks between single letters are taken out."""
