//! Version 1 of the character table for full-text search. **Frozen: never edit this file.**
//!
//! It lists how FTS5's tokenizer `unicode61`, configured by `TOKENIZER`, treats each character.
//! PostgreSQL's index and the parser of search terms use the same table, so that both databases find
//! the same posts. The data was read from the bundled SQLite. A test of the service compares every
//! code point with that SQLite.
//!
//! The migration `add_search` builds its SQL from this file, and databases hold an index built with
//! it. An edit would change what that migration does on a new database and leave existing databases
//! as they are.
//!
//! To change the tokenizer:
//!
//! 1. Copy this file to `unicode61_v2.rs`, declare it in `lib.rs`, and change the copy.
//! 2. Generate a migration that rebuilds the index from `unicode61_v2` on both databases. Its `down`
//!    rebuilds the index from `unicode61_v1`.
//! 3. Point the alias `unicode61` in `lib.rs` to `unicode61_v2`. The service uses the alias.

use std::{collections::HashMap, sync::LazyLock};

/// The `tokenize` option of the FTS5 tables.
///
/// Combining marks (Mn, Mc) are part of a word: as separators they would split words of Hindi and
/// Thai at each vowel sign. The two variation selectors that follow an emoji are separators: otherwise
/// they would become part of the next word.
pub(crate) const TOKENIZER: &str =
    "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc' separators '\u{fe0e}\u{fe0f}'";

/// Characters that separate words: hexadecimal code points and inclusive ranges.
const SEPARATORS: &str = "\
    1-2f 3a-40 5b-60 7b-a9 ab-b1 b4 b6-b8 bb bf d7 f7 2c2-2c5 2d2-2df 2e5-2eb 2ed 2ef-2ff 375 37e \
    384-385 387 3f6 482 488-489 55a-55f 589-58a 58f 5be 5c0 5c3 5c6 5f3-5f4 600-604 606-60f 61b \
    61e-61f 66a-66d 6d4 6dd-6de 6e9 6fd-6fe 700-70d 70f 7f6-7f9 830-83e 85e 964-965 970 9f2-9f3 \
    9fa-9fb af0-af1 b70 bf3-bfa c7f d79 df4 e3f e4f e5a-e5b f01-f17 f1a-f1f f34 f36 f38 f3a-f3d f85 \
    fbe-fc5 fc7-fcc fce-fda 104a-104f 109e-109f 10fb 1360-1368 1390-1399 1400 166d-166e 1680 \
    169b-169c 16eb-16ed 1735-1736 17d4-17d6 17d8-17db 1800-180a 180e 1940 1944-1945 19de-19ff \
    1a1e-1a1f 1aa0-1aa6 1aa8-1aad 1b5a-1b6a 1b74-1b7c 1bfc-1bff 1c3b-1c3f 1c7e-1c7f 1cc0-1cc7 1cd3 \
    1fbd 1fbf-1fc1 1fcd-1fcf 1fdd-1fdf 1fed-1fef 1ffd-1ffe 2000-2064 206a-206f 207a-207e 208a-208e \
    20a0-20b9 20dd-20e0 20e2-20e4 2100-2101 2103-2106 2108-2109 2114 2116-2118 211e-2123 2125 2127 \
    2129 212e 213a-213b 2140-2144 214a-214d 214f 2190-23f3 2400-2426 2440-244a 249c-24e9 2500-26ff \
    2701-2775 2794-2b4c 2b50-2b59 2ce5-2cea 2cf9-2cfc 2cfe-2cff 2d70 2e00-2e2e 2e30-2e3b 2e80-2e99 \
    2e9b-2ef3 2f00-2fd5 2ff0-2ffb 3000-3004 3008-3020 3030 3036-3037 303d-303f 309b-309c 30a0 30fb \
    3190-3191 3196-319f 31c0-31e3 3200-321e 322a-3247 3250 3260-327f 328a-32b0 32c0-32fe 3300-33ff \
    4dc0-4dff a490-a4c6 a4fe-a4ff a60d-a60f a670-a673 a67e a6f2-a6f7 a700-a716 a720-a721 a789-a78a \
    a828-a82b a836-a839 a874-a877 a8ce-a8cf a8f8-a8fa a92e-a92f a95f a9c1-a9cd a9de-a9df aa5c-aa5f \
    aa77-aa79 aade-aadf aaf0-aaf1 abeb fb29 fbb2-fbc1 fd3e-fd3f fdfc-fdfd fe0e-fe19 fe30-fe52 \
    fe54-fe66 fe68-fe6b feff ff01-ff0f ff1a-ff20 ff3b-ff40 ff5b-ff65 ffe0-ffe6 ffe8-ffee fff9-ffff \
    10100-10102 10137-1013f 10179-10189 10190-1019b 101d0-101fc 1039f 103d0 10857 1091f 1093f \
    10a50-10a58 10a7f 10b39-10b3f 11047-1104d 110bb-110c1 11140-11143 111c5-111c8 12470-12473 \
    1d000-1d0f5 1d100-1d126 1d129-1d164 1d16a-1d16c 1d173-1d17a 1d183-1d184 1d18c-1d1a9 1d1ae-1d1dd \
    1d200-1d241 1d245 1d300-1d356 1d6c1 1d6db 1d6fb 1d715 1d735 1d74f 1d76f 1d789 1d7a9 1d7c3 \
    1eef0-1eef1 1f000-1f02b 1f030-1f093 1f0a0-1f0ae 1f0b1-1f0be 1f0c1-1f0cf 1f0d1-1f0df 1f110-1f12e \
    1f130-1f16b 1f170-1f19a 1f1e6-1f202 1f210-1f23a 1f240-1f248 1f250-1f251 1f300-1f320 1f330-1f335 \
    1f337-1f37c 1f380-1f393 1f3a0-1f3c4 1f3c6-1f3ca 1f3e0-1f3f0 1f400-1f43e 1f440 1f442-1f4f7 \
    1f4f9-1f4fc 1f500-1f53d 1f540-1f543 1f550-1f567 1f5fb-1f640 1f645-1f64f 1f680-1f6c5 1f700-1f773 \
    e0001 e0020-e007f";

/// Characters that are removed from words, in the same format.
const DROPPED: &str = "\
    300-304 306-30c 30f 311 31b 323-328 32d-32e 330-331";

/// Alternating pairs of a letter and its folded form. ASCII letters are not listed.
const FOLDED: &str = "\
    µμÀaÁaÂaÃaÄaÅaÆæÇcÈeÉeÊeËeÌiÍiÎiÏiÐðÑnÒoÓoÔoÕoÖoØøÙuÚuÛuÜuÝyÞþàaáaâaãaäaåaçcèeéeêeëeìiíiîiïiñnòo\
    óoôoõoöoùuúuûuüuýyÿyĀaāaĂaăaĄaąaĆcćcĈcĉcĊcċcČcčcĎdďdĐđĒeēeĔeĕeĖeėeĘeęeĚeěeĜgĝgĞgğgĠgġgĢgģgĤhĥhĦħ\
    ĨiĩiĪiīiĬiĭiĮiįiİiĲĳĴjĵjĶkķkĹlĺlĻlļlĽlľlĿŀŁłŃnńnŅnņnŇnňnŊŋŌoōoŎoŏoŐoőoŒœŔrŕrŖrŗrŘrřrŚsśsŜsŝsŞsşs\
    ŠsšsŢtţtŤtťtŦŧŨuũuŪuūuŬuŭuŮuůuŰuűuŲuųuŴwŵwŶyŷyŸyŹzźzŻzżzŽzžzſsƁɓƂƃƄƅƆɔƇƈƉɖƊɗƋƌƎǝƏəƐɛƑƒƓɠƔɣƖɩƗɨƘƙ\
    ƜɯƝɲƟɵƠoơoƢƣƤƥƦʀƧƨƩʃƬƭƮʈƯuưuƱʊƲʋƳƴƵƶƷʒƸƹƼƽǄǆǅǆǇǉǈǉǊǌǋǌǍaǎaǏiǐiǑoǒoǓuǔuǕuǖuǗuǘuǙuǚuǛuǜuǞaǟaǠǡǢǣǤǥ\
    ǦgǧgǨkǩkǪoǫoǬoǭoǮǯǰjǱǳǲǳǴgǵgǶƕǷƿǸnǹnǺaǻaǼǽǾǿȀaȁaȂaȃaȄeȅeȆeȇeȈiȉiȊiȋiȌoȍoȎoȏoȐrȑrȒrȓrȔuȕuȖuȗuȘsșs\
    ȚtțtȜȝȞhȟhȠƞȢȣȤȥȦaȧaȨeȩeȪoȫoȬoȭoȮoȯoȰoȱoȲyȳyȺⱥȻȼȽƚȾⱦɁɂɃƀɄʉɅʌɆɇɈɉɊɋɌɍɎɏ\u{345}ιͰͱͲͳͶͷΆάΈέΉήΊίΌόΎύ\
    ΏώΑαΒβΓγΔδΕεΖζΗηΘθΙιΚκΛλΜμΝνΞξΟοΠπΡρΣσΤτΥυΦφΧχΨψΩωΪϊΫϋςσϏϗϐβϑθϕφϖπϘϙϚϛϜϝϞϟϠϡϢϣϤϥϦϧϨϩϪϫϬϭϮϯϰκϱρϴθ\
    ϵεϷϸϹϲϺϻϽͻϾͼϿͽЀѐЁёЂђЃѓЄєЅѕІіЇїЈјЉљЊњЋћЌќЍѝЎўЏџАаБбВвГгДдЕеЖжЗзИиЙйКкЛлМмНнОоПпРрСсТтУуФфХхЦцЧчШш\
    ЩщЪъЫыЬьЭэЮюЯяѠѡѢѣѤѥѦѧѨѩѪѫѬѭѮѯѰѱѲѳѴѵѶѷѸѹѺѻѼѽѾѿҀҁҊҋҌҍҎҏҐґҒғҔҕҖҗҘҙҚқҜҝҞҟҠҡҢңҤҥҦҧҨҩҪҫҬҭҮүҰұҲҳҴҵҶҷҸҹ\
    ҺһҼҽҾҿӀӏӁӂӃӄӅӆӇӈӉӊӋӌӍӎӐӑӒӓӔӕӖӗӘәӚӛӜӝӞӟӠӡӢӣӤӥӦӧӨөӪӫӬӭӮӯӰӱӲӳӴӵӶӷӸӹӺӻӼӽӾӿԀԁԂԃԄԅԆԇԈԉԊԋԌԍԎԏԐԑԒԓԔԕԖԗԘԙ\
    ԚԛԜԝԞԟԠԡԢԣԤԥԦԧԱաԲբԳգԴդԵեԶզԷէԸըԹթԺժԻիԼլԽխԾծԿկՀհՁձՂղՃճՄմՅյՆնՇշՈոՉչՊպՋջՌռՍսՎվՏտՐրՑցՒւՓփՔքՕօՖֆႠⴀႡⴁႢⴂ\
    ႣⴃႤⴄႥⴅႦⴆႧⴇႨⴈႩⴉႪⴊႫⴋႬⴌႭⴍႮⴎႯⴏႰⴐႱⴑႲⴒႳⴓႴⴔႵⴕႶⴖႷⴗႸⴘႹⴙႺⴚႻⴛႼⴜႽⴝႾⴞႿⴟჀⴠჁⴡჂⴢჃⴣჄⴤჅⴥჇⴧჍⴭḀaḁaḂbḃbḄbḅbḆbḇbḈcḉcḊd\
    ḋdḌdḍdḎdḏdḐdḑdḒdḓdḔeḕeḖeḗeḘeḙeḚeḛeḜeḝeḞfḟfḠgḡgḢhḣhḤhḥhḦhḧhḨhḩhḪhḫhḬiḭiḮiḯiḰkḱkḲkḳkḴkḵkḶlḷlḸlḹlḺl\
    ḻlḼlḽlḾmḿmṀmṁmṂmṃmṄnṅnṆnṇnṈnṉnṊnṋnṌoṍoṎoṏoṐoṑoṒoṓoṔpṕpṖpṗpṘrṙrṚrṛrṜrṝrṞrṟrṠsṡsṢsṣsṤsṥsṦsṧsṨsṩsṪt\
    ṫtṬtṭtṮtṯtṰtṱtṲuṳuṴuṵuṶuṷuṸuṹuṺuṻuṼvṽvṾvṿvẀwẁwẂwẃwẄwẅwẆwẇwẈwẉwẊxẋxẌxẍxẎyẏyẐzẑzẒzẓzẔzẕzẖhẗtẘwẙyẛs\
    ẞßẠaạaẢaảaẤaấaẦaầaẨaẩaẪaẫaẬaậaẮaắaẰaằaẲaẳaẴaẵaẶaặaẸeẹeẺeẻeẼeẽeẾeếeỀeềeỂeểeỄeễeỆeệeỈiỉiỊiịiỌoọoỎo\
    ỏoỐoốoỒoồoỔoổoỖoỗoỘoộoỚoớoỜoờoỞoởoỠoỡoỢoợoỤuụuỦuủuỨuứuỪuừuỬuửuỮuữuỰuựuỲyỳyỴyỵyỶyỷyỸyỹyỺỻỼỽỾỿἈἀἉἁ\
    ἊἂἋἃἌἄἍἅἎἆἏἇἘἐἙἑἚἒἛἓἜἔἝἕἨἠἩἡἪἢἫἣἬἤἭἥἮἦἯἧἸἰἹἱἺἲἻἳἼἴἽἵἾἶἿἷὈὀὉὁὊὂὋὃὌὄὍὅὙὑὛὓὝὕὟὗὨὠὩὡὪὢὫὣὬὤὭὥὮὦὯὧᾈᾀᾉᾁ\
    ᾊᾂᾋᾃᾌᾄᾍᾅᾎᾆᾏᾇᾘᾐᾙᾑᾚᾒᾛᾓᾜᾔᾝᾕᾞᾖᾟᾗᾨᾠᾩᾡᾪᾢᾫᾣᾬᾤᾭᾥᾮᾦᾯᾧᾸᾰᾹᾱᾺὰ\u{1fbb}\u{1f71}ᾼᾳ\u{1fbe}ιῈὲ\u{1fc9}\u{1f73}Ὴὴ\u{1fcb}\u{1f75}ῌῃῘῐῙῑῚὶ\u{1fdb}\u{1f77}ῨῠῩῡῪὺ\u{1feb}\u{1f7b}ῬῥῸὸ\u{1ff9}\u{1f79}Ὼὼ\u{1ffb}\u{1f7d}ῼῳ\u{2126}ω\
    \u{212a}k\u{212b}aℲⅎⅠⅰⅡⅱⅢⅲⅣⅳⅤⅴⅥⅵⅦⅶⅧⅷⅨⅸⅩⅹⅪⅺⅫⅻⅬⅼⅭⅽⅮⅾⅯⅿↃↄⰀⰰⰁⰱⰂⰲⰃⰳⰄⰴⰅⰵⰆⰶⰇⰷⰈⰸⰉⰹⰊⰺⰋⰻⰌⰼⰍⰽⰎⰾⰏⰿⰐⱀⰑⱁⰒⱂⰓⱃⰔⱄⰕⱅⰖⱆⰗⱇⰘⱈⰙⱉⰚⱊⰛⱋ\
    ⰜⱌⰝⱍⰞⱎⰟⱏⰠⱐⰡⱑⰢⱒⰣⱓⰤⱔⰥⱕⰦⱖⰧⱗⰨⱘⰩⱙⰪⱚⰫⱛⰬⱜⰭⱝⰮⱞⱠⱡⱢɫⱣᵽⱤɽⱧⱨⱩⱪⱫⱬⱭɑⱮɱⱯɐⱰɒⱲⱳⱵⱶⱾȿⱿɀⲀⲁⲂⲃⲄⲅⲆⲇⲈⲉⲊⲋⲌⲍⲎⲏⲐⲑⲒⲓⲔⲕⲖⲗⲘⲙⲚⲛ\
    ⲜⲝⲞⲟⲠⲡⲢⲣⲤⲥⲦⲧⲨⲩⲪⲫⲬⲭⲮⲯⲰⲱⲲⲳⲴⲵⲶⲷⲸⲹⲺⲻⲼⲽⲾⲿⳀⳁⳂⳃⳄⳅⳆⳇⳈⳉⳊⳋⳌⳍⳎⳏⳐⳑⳒⳓⳔⳕⳖⳗⳘⳙⳚⳛⳜⳝⳞⳟⳠⳡⳢⳣⳫⳬⳭⳮⳲⳳꙀꙁꙂꙃꙄꙅꙆꙇꙈꙉꙊꙋꙌꙍꙎꙏꙐꙑ\
    ꙒꙓꙔꙕꙖꙗꙘꙙꙚꙛꙜꙝꙞꙟꙠꙡꙢꙣꙤꙥꙦꙧꙨꙩꙪꙫꙬꙭꚀꚁꚂꚃꚄꚅꚆꚇꚈꚉꚊꚋꚌꚍꚎꚏꚐꚑꚒꚓꚔꚕꚖꚗꜢꜣꜤꜥꜦꜧꜨꜩꜪꜫꜬꜭꜮꜯꜲꜳꜴꜵꜶꜷꜸꜹꜺꜻꜼꜽꜾꜿꝀꝁꝂꝃꝄꝅꝆꝇꝈꝉꝊꝋꝌꝍꝎꝏ\
    ꝐꝑꝒꝓꝔꝕꝖꝗꝘꝙꝚꝛꝜꝝꝞꝟꝠꝡꝢꝣꝤꝥꝦꝧꝨꝩꝪꝫꝬꝭꝮꝯꝹꝺꝻꝼꝽᵹꝾꝿꞀꞁꞂꞃꞄꞅꞆꞇꞋꞌꞍɥꞐꞑꞒꞓꞠꞡꞢꞣꞤꞥꞦꞧꞨꞩꞪɦＡａＢｂＣｃＤｄＥｅＦｆＧｇＨｈＩｉＪｊＫｋＬｌＭｍＮｎ\
    ＯｏＰｐＱｑＲｒＳｓＴｔＵｕＶｖＷｗＸｘＹｙＺｚ𐐀𐐨𐐁𐐩𐐂𐐪𐐃𐐫𐐄𐐬𐐅𐐭𐐆𐐮𐐇𐐯𐐈𐐰𐐉𐐱𐐊𐐲𐐋𐐳𐐌𐐴𐐍𐐵𐐎𐐶𐐏𐐷𐐐𐐸𐐑𐐹𐐒𐐺𐐓𐐻𐐔𐐼𐐕𐐽𐐖𐐾𐐗𐐿𐐘𐑀𐐙𐑁𐐚𐑂𐐛𐑃𐐜𐑄𐐝𐑅𐐞𐑆𐐟𐑇𐐠𐑈𐐡𐑉𐐢𐑊𐐣𐑋\
    𐐤𐑌𐐥𐑍𐐦𐑎𐐧𐑏";

/// The role of a character in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letter {
    /// Ends a word.
    Separator,
    /// Is removed without ending the word.
    Dropped,
    /// Is part of a word, in this folded form.
    Folded(char),
}

/// The role of `letter`.
#[must_use]
pub fn letter(letter: char) -> Letter {
    static FOLDS: LazyLock<HashMap<char, char>> = LazyLock::new(|| folds().collect());
    static SEPARATING: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| ranges(SEPARATORS).collect());
    static DROPPING: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| ranges(DROPPED).collect());
    let among = |ranges: &[(u32, u32)]| {
        let code = u32::from(letter);
        let before = ranges.partition_point(|(first, _)| *first <= code);
        let range = before.checked_sub(1).and_then(|at| ranges.get(at));
        range.is_some_and(|(_, last)| code <= *last)
    };
    if letter.is_ascii_alphanumeric() {
        Letter::Folded(letter.to_ascii_lowercase())
    } else if among(&SEPARATING) {
        Letter::Separator
    } else if among(&DROPPING) {
        Letter::Dropped
    } else {
        Letter::Folded(FOLDS.get(&letter).copied().unwrap_or(letter))
    }
}

fn folds() -> impl Iterator<Item = (char, char)> {
    let from = FOLDED.chars().step_by(2);
    from.zip(FOLDED.chars().skip(1).step_by(2))
}

fn ranges(text: &str) -> impl Iterator<Item = (u32, u32)> {
    text.split(' ').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let code = |text| u32::from_str_radix(text, 16).ok();
        Some((code(first)?, code(last)?))
    })
}

/// Arguments for PostgreSQL's `translate(text, from, to)`, for text with lower-case ASCII letters.
///
/// Dropped characters come last in `from` and have no counterpart in `to`, so `translate` removes them.
pub(crate) fn translation() -> (String, String) {
    let (mut from, to): (String, String) = folds().unzip();
    let dropped = ranges(DROPPED).flat_map(|(first, last)| first..=last);
    from.extend(dropped.filter_map(char::from_u32));
    (from, to)
}

/// A PostgreSQL bracket expression that matches any one separator except the space.
pub(crate) fn separator() -> String {
    use std::fmt::Write;
    let mut class = String::from("[");
    for (first, last) in ranges(SEPARATORS) {
        let around_blank = if (first..=last).contains(&0x20) {
            [(first, 0x1f), (0x21, last)]
        } else {
            [(first, last), (1, 0)]
        };
        for (first, last) in around_blank {
            if first <= last {
                // Writing to a String does not fail.
                let _ = write!(class, "\\U{first:08x}-\\U{last:08x}");
            }
        }
    }
    class.push(']');
    class
}
