"""Plain English for the tokenizer alone, so that text of the real world is not cut into single bytes."""

COMMON_WORDS = (
    "the of and to in is that for it as was with be by on not he his but at are this have from or had an they which "
    "one you were her all she there would their we him been has when who will more no if out so said what up its "
    "about into than them can only other new some could time these two may then do first any my now such like our "
    "over man me even most made after also did many before must through back years where much your way well down "
    "should because each just those people how too little state good very make world still own see men work long get "
    "here between both life being under never day same another know while last might us great old year off come "
    "since against go came right used take three states himself few house use during without again place american "
    "around however home small found thought went say part once general high upon school every does got united left "
    "number course war until always away something fact though water less public put thing almost hand enough far "
    "took head yet government system better set told nothing night end why called eyes find going look asked later "
    "knew point next program city business give group toward young days let room word food family body large king "
    "queen president country film movie book song band music team game player season star show series television "
    "actor author written released born died century age older younger average person human animal animals plant "
    "species language english french german spanish roman greek chinese japanese ancient modern history known famous "
    "language religion christian catholic church bible god jewish island river ocean sea mountain north south east "
    "west miles feet pounds degrees temperature million billion thousand hundred percent dollars cost price money "
    "bank market company product computer internet phone car train plane ship travel space earth moon sun light air "
    "fire ice snow rain winter summer spring color red blue green black white gold silver metal iron stone wood "
    "glass paper egg milk meat fish chicken bread rice sugar salt cheese fruit apple orange coffee tea beer wine "
    "drink eat eaten cook kitchen restaurant dog cat horse bird cow pig sheep mouse snake doctor hospital disease "
    "medical heart blood brain bone skin eye hair foot leg arm birth death murder law court legal illegal police "
    "crime prison army navy military soldier weapon gun nuclear battle empire emperor dynasty republic election "
    "vote party member leader minister lived lives live hold need needed require required allow allowed able likely "
    "possible impossible common rare popular include included including contain contains made typically usually often "
    "sometimes greater fewer higher lower larger smaller longer shorter near within wear clothing shirt shoes play "
    "playing played sport football baseball basketball tennis golf olympic olympics medal win won championship "
    "university college student teacher science physics chemistry mathematics theory art painting artist museum "
    "theatre opera dance instrument guitar piano character fiction novel story marvel disney harry potter wizard "
    "magic powers hero january february march april may june july august september october november december monday "
    "friday sunday christmas england london britain british france paris germany italy rome spain russia china japan "
    "india africa europe asia america canada mexico california texas york washington"
)

ENDINGS = (
    "ing tion ation ment ness ity able ible ful less ous ive ize ise ism ist ence ance ship hood ward wise ally ology "
    "ography er or ar est ed es ly al ic ical ant ent th st nd rd sh ch ph gh ck ng qu tr str pr pl cl cr br bl gr gl "
    "fr fl sp sc sk sl sm sn sw tw dr con com pro pre per par dis mis un re in im inter trans sub super over under"
)


def tokenizer_text() -> list[str]:
    """Lines on which the tokenizer is trained beside the world's own text."""
    words = COMMON_WORDS.split()
    lines = [" ".join(words)] * 6
    lines += [" ".join(word.capitalize() for word in words)] * 2
    lines += [" ".join(word + ending for word in words[at::17]) for at, ending in enumerate(ENDINGS.split())]
    return lines
