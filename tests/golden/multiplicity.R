# Golden values of adjusted p-values. Writes multiplicity_expected.csv beside itself.
# Run from anywhere: Rscript tests/golden/multiplicity.R
# Made with R 4.2.2 (p.adjust of base R; no package at hand has the graphical procedure).
args <- commandArgs(FALSE)
here <- dirname(normalizePath(sub("--file=", "", args[grep("--file=", args)])))

rows <- list()
add <- function(name, quantity, value) {
  stopifnot(length(value) == 1, is.finite(value))
  rows[[length(rows) + 1]] <<- sprintf("%s,%s,%.17g", name, quantity, value)
}
each <- function(name, quantity, values) for (i in seq_along(values)) add(name, paste0(quantity, i), values[i])

lists <- list(
  one = 0.03,
  one_zero = 0,
  one_one = 1,
  two = c(0.04, 0.01),
  two_both_just = c(0.05, 0.05),
  three_ties = c(0.02, 0.02, 0.02),
  four = c(0.01, 0.005, 0.015, 0.022),
  four_zero_one = c(0, 1, 0.5, 0.02),
  five_gmcp = c(0.01, 0.02, 0.04, 0.04, 0.7),
  five_tiny = c(1e-300, 3e-17, 1e-8, 0.2, 0.9),
  six_unordered = c(0.6, 0.001, 0.03, 0.2, 0.009, 0.031),
  seven_ones = rep(1, 7),
  eight_zeros = c(0, 0, 0, 0.1, 0.1, 0.3, 1, 1),
  # Hommel differs from Hochberg here.
  nine_hommel = c(0.012, 0.0131, 0.014, 0.02, 0.021, 0.027, 0.041, 0.043, 0.049),
  ten = c(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324),
  ten_mixed = c(0.324, 0.0344, 0.0001, 0.0459, 0.0095, 0.0095, 0.0298, 1, 0, 0.0004)
)
for (name in names(lists)) {
  p <- lists[[name]]
  each(name, "p", p)
  for (method in c("bonferroni", "holm", "hochberg", "hommel", "BH"))
    each(name, paste0(tolower(method), "_"), p.adjust(p, method))
  # In the given order, each tested only once all before it are rejected.
  each(name, "fixed_sequence_", cummax(p))
}

# The graph without hypothesis j: its weight and edges pass along its edges (Bretz, Maurer, Brannath
# and Posch 2009, algorithm 1).
without <- function(graph, j) {
  n <- length(graph$w)
  left <- setdiff(graph$left, j)
  w <- graph$w; g <- matrix(0, n, n)
  for (l in left) {
    w[l] <- graph$w[l] + graph$w[j] * graph$g[j, l]
    for (k in left) if (k != l && graph$g[l, j] * graph$g[j, l] < 1)
      g[l, k] <- (graph$g[l, k] + graph$g[l, j] * graph$g[j, k]) / (1 - graph$g[l, j] * graph$g[j, l])
  }
  w[j] <- 0
  list(w = w, g = g, left = left)
}
# Their algorithm 2: adjusted p-values step by step. A hypothesis without weight cannot be rejected.
sequentially <- function(graph, p) {
  adjusted <- rep(1, length(p)); highest <- 0
  while (length(graph$left) > 0) {
    best <- NA; smallest <- Inf
    for (i in graph$left) if (graph$w[i] > 0 && p[i] / graph$w[i] < smallest) { best <- i; smallest <- p[i] / graph$w[i] }
    if (is.na(best)) break
    highest <- max(highest, smallest)
    adjusted[best] <- min(1, highest)
    graph <- without(graph, best)
  }
  adjusted
}
# The same by closed testing: each intersection by weighted Bonferroni, the largest p counts.
closed <- function(graph, p) {
  n <- length(p); adjusted <- rep(0, n)
  for (set in 1:(2^n - 1)) {
    members <- which(bitwAnd(set, 2^(0:(n - 1))) > 0)
    sub <- graph
    for (j in setdiff(1:n, members)) sub <- without(sub, j)
    smallest <- 1
    for (i in members) if (sub$w[i] > 0) smallest <- min(smallest, p[i] / sub$w[i])
    for (i in members) adjusted[i] <- max(adjusted[i], smallest)
  }
  adjusted
}
graphical <- function(name, w, g, p) {
  n <- length(p)
  stopifnot(sum(w) <= 1 + 1e-12, rowSums(g) <= 1 + 1e-12, diag(g) == 0)
  graph <- list(w = w, g = g, left = 1:n)
  found <- sequentially(graph, p)
  stopifnot(abs(found - closed(graph, p)) <= 1e-14)
  each(name, "p", p)
  each(name, "w", w)
  for (i in 1:n) for (j in 1:n) add(name, sprintf("g%d_%d", i, j), g[i, j])
  each(name, "graphical_", found)
  invisible(found)
}
rows_of <- function(...) rbind(...)
four <- c(0.01, 0.005, 0.015, 0.022)
holm <- function(n) { g <- matrix(1 / (n - 1), n, n); diag(g) <- 0; g }
p5 <- lists$five_gmcp
stopifnot(abs(graphical("graph_holm", rep(0.2, 5), holm(5), p5) - p.adjust(p5, "holm")) < 1e-15)
p6 <- lists$six_unordered
stopifnot(abs(graphical("graph_holm_six", rep(1 / 6, 6), holm(6), p6) - p.adjust(p6, "holm")) < 1e-15)
p3 <- c(0.01, 0.04, 0.03)
stopifnot(graphical("graph_fixed_sequence", c(1, 0, 0), rows_of(c(0, 1, 0), c(0, 0, 1), 0), p3) == cummax(p3))
stopifnot(abs(graphical("graph_bonferroni", c(0.5, 0.3, 0.2), matrix(0, 3, 3), p3) - p3 / c(0.5, 0.3, 0.2)) < 1e-15)
graphical("graph_fallback", c(0.5, 0.3, 0.2), rows_of(c(0, 1, 0), c(0, 0, 1), 0), c(0.02, 0.03, 0.001))
graphical("graph_fallback_improved", c(0.5, 0.3, 0.2), rows_of(c(0, 1, 0), c(0, 0, 1), c(0.5, 0.5, 0)), c(0.02, 0.03, 0.001))
# Two primary and two secondary hypotheses, each pair passing to the other (the parallel procedure
# with successive secondaries). R package lrstat's tests print 0.02 0.01 0.03 0.03 and 0.04 0.03 0.04 0.04.
cross <- rows_of(c(0, 0, 1, 0), c(0, 0, 0, 1), c(0, 1, 0, 0), c(1, 0, 0, 0))
stopifnot(abs(graphical("graph_successive", c(0.5, 0.5, 0, 0), cross, four) - c(0.02, 0.01, 0.03, 0.03)) < 1e-15,
          abs(graphical("graph_successive_2", c(0.5, 0.5, 0, 0), cross, c(0.02, 0.015, 0.010, 0.023)) - c(0.04, 0.03, 0.04, 0.04)) < 1e-15)
graphical("graph_parallel_gatekeeping", c(0.5, 0.5, 0, 0),
  rows_of(c(0, 0, 0.5, 0.5), c(0, 0, 0.5, 0.5), c(0, 0, 0, 1), c(0, 0, 1, 0)), c(0.012, 0.03, 0.0001, 0.04))
graphical("graph_general_gatekeeping", c(0.5, 0.5, 0, 0),
  rows_of(c(0, 0.5, 0.5, 0), c(0.5, 0, 0, 0.5), c(0, 1, 0, 0), c(1, 0, 0, 0)), c(0.024, 0.011, 0.018, 0.0009))
# Weights that leave some alpha unused, edges that leave some behind, ties, 0 and 1.
graphical("graph_incomplete", c(0.4, 0.3, 0.2), rows_of(c(0, 0.5, 0.2), c(0.3, 0, 0.3), c(0.1, 0.6, 0)), c(0.01, 0.01, 0.2))
graphical("graph_zero_and_one", c(0.25, 0.25, 0.25, 0.25), holm(4), c(0, 1, 0.3, 1e-20))
graphical("graph_ties", rep(1 / 3, 3), rows_of(c(0, 0.7, 0.3), c(0.4, 0, 0.6), c(1, 0, 0)), c(0.012, 0.012, 0.012))
# A hypothesis that no weight ever reaches.
graphical("graph_unreached", c(0.6, 0.4, 0), rows_of(c(0, 1, 0), c(1, 0, 0), 0), c(0.001, 0.02, 1e-9))
# Two that pass everything to each other: with the first gone the second's edge is lost (1 - 1 * 1 = 0).
graphical("graph_pair", c(0.8, 0.2, 0), rows_of(c(0, 1, 0), c(1, 0, 0), c(0.5, 0.5, 0)), c(0.03, 0.01, 0.5))
graphical("graph_single", 1, matrix(0, 1, 1), 0.04)

writeLines(c(sprintf("# R %s", getRversion()), "case,quantity,value", unlist(rows)), file.path(here, "multiplicity_expected.csv"))
