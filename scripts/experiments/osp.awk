# The data of osp.sh and what is computed of it; -v make=WORD says which:
#   arms      every pair of 64 responses of one letter, with rewards from N(0, 1)       (seed)
#   rewards   their rewards, in the order of the letters' bytes                          (seed)
#   letters   pairs of 8 letters after a target letter, judged by the rule below         (seed, pairs, noise)
#   policy    divergences of a policy, the second line of the CSV on standard input, from the reference and from the
#             best policy, and the best policy's own                                     (rewards=FILE, beta)
#   winrate   share of the second file's texts that beat the first file's of the same target; ties count half
# The generator is that of Park and Miller (1988), exact in double precision.
function uniform() { state = (48271 * state) % 2147483647; return state / 2147483647 }
function normal() { return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform()) }
function sigmoid(x) { return 1 / (1 + exp(-x)) }

# Hits of the target, minus half of the letters that repeat the one before.
function reward_of(target, text,   i, c, before, sum) {
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        sum += (c == target) - 0.5 * (c == before)
        before = c
    }
    return sum + 0
}
function draw(target,   i, text) {
    for (i = 0; i < 8; i++)
        text = text (uniform() < 0.2 ? target : substr("ABCDEFGH", 1 + int(8 * uniform()), 1))
    return text
}
function pair(prompt, chosen, rejected, margin) {
    printf "{\"prompt\": \"%s\", \"chosen\": \"%s\", \"rejected\": \"%s\", \"probability\": %.9g}\n", prompt, chosen,
           rejected, sigmoid(margin)
}
function make_arms(   a, b, better, symbols) {
    symbols = "+-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for (a = 0; a < 64; a++)
        reward[a] = normal()
    for (a = 0; a < 64 && make == "rewards"; a++)
        print reward[a]
    for (a = 0; a < 64 && make == "arms"; a++)
        for (b = 0; b < a; b++) {
            better = reward[a] > reward[b] ? a : b
            pair("A", substr(symbols, better + 1, 1), substr(symbols, a + b - better + 1, 1),
                 reward[better] - reward[a + b - better])
        }
}
function make_letters(   i, target, a, b, margin) {
    for (i = 0; i < pairs; i++) {
        target = substr("ABCDEFGH", 1 + int(8 * uniform()), 1)
        a = draw(target)
        b = draw(target)
        margin = reward_of(target, a) - reward_of(target, b) + noise * normal()
        if (margin >= 0)
            pair(target, a, b, margin)
        else
            pair(target, b, a, -margin)
    }
}

BEGIN {
    state = seed * 7919 + 1
    for (i = 0; i < 20; i++)
        uniform()
    if (make == "arms" || make == "rewards")
        make_arms()
    if (make == "letters")
        make_letters()
    if (make != "policy" && make != "winrate")
        exit
}

make == "policy" && FNR == 2 {
    n = split($0, p, ",")
    for (k = 1; k <= n; k++) {
        getline r < rewards
        best[k] = exp(r / beta)
        sum += best[k]
    }
    for (k = 1; k <= n; k++) {
        best[k] /= sum
        reference += p[k] > 0 ? p[k] * log(p[k] * n) : 0
        apart += p[k] > 0 ? p[k] * log(p[k] / best[k]) : 0
        least += best[k] * log(best[k] * n)
    }
    printf "%.6f %.6f %.6f\n", reference, apart, least
}

make == "winrate" && NR == FNR { base[substr($0, 1, 1), ++count[substr($0, 1, 1)]] = reward_of(substr($0, 1, 1), substr($0, 2)) }
make == "winrate" && NR != FNR {
    target = substr($0, 1, 1)
    r = reward_of(target, substr($0, 2))
    for (i = 1; i <= count[target]; i++) {
        wins += (r > base[target, i]) + 0.5 * (r == base[target, i])
        all++
    }
}
END { if (make == "winrate") printf "%.6f\n", wins / all }
