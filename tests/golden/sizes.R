# Golden values of sample sizes before rounding up. Writes sizes_expected.csv beside itself.
# Run from anywhere: Rscript tests/golden/sizes.R
# Made with R 4.2.2 and rpact 3.3.4 (the versions are written into the file).
#
# alpha is one-sided. Arm 1 is the treatment, arm 0 the control, `ratio` = n1 / n0, `total` = n1 + n0
# (events of both arms where survival is compared).
suppressMessages(library(rpact))
args <- commandArgs(FALSE)
here <- dirname(normalizePath(sub("--file=", "", args[grep("--file=", args)])))
setLogLevel("DISABLED")

rows <- list()
say <- function(name, values) for (q in names(values)) {
  stopifnot(is.finite(values[[q]]))
  rows[[length(rows) + 1]] <<- sprintf("%s,%s,%.17g", name, q, values[[q]])
}
near <- function(a, b, relative) stopifnot(abs(a - b) <= relative * abs(b))
fixed <- function(c) getDesignGroupSequential(kMax = 1, alpha = c$alpha, beta = 1 - c$power, sided = 1)
z2 <- function(c) (qnorm(1 - c$alpha) + qnorm(c$power))^2

# Two means. rpact's root for the t test is coarse (relative 1e-6), so the root is found again here
# from the noncentral t, and compared with rpact and, for equal arms, with power.t.test.
mean_known <- function(c) getSampleSizeMeans(fixed(c), thetaH0 = -c$margin, alternative = c$delta, stDev = c$sd,
  normalApproximation = TRUE, allocationRatioPlanned = c$ratio)$nFixed[1]
mean_t <- function(c) {
  reached <- function(n) pt(qt(1 - c$alpha, n - 2), n - 2, ncp = (c$delta + c$margin) / c$sd * sqrt(n * c$ratio) / (1 + c$ratio), lower.tail = FALSE)
  low <- 2 + 1e-3; high <- 1e6
  for (i in 1:200) { middle <- (low + high) / 2; if (reached(middle) < c$power) low <- middle else high <- middle }
  theirs <- getSampleSizeMeans(fixed(c), thetaH0 = -c$margin, alternative = c$delta, stDev = c$sd,
    normalApproximation = FALSE, allocationRatioPlanned = c$ratio)$nFixed[1]
  cat(sprintf("t test: %.10g, rpact %.10g\n", high, theirs))
  near(high, theirs, 1e-4)
  if (c$ratio == 1) near(high / 2, power.t.test(power = c$power, delta = c$delta + c$margin, sd = c$sd, sig.level = c$alpha,
    alternative = "one.sided", tol = 1e-13)$n, 1e-9)
  high
}
means <- function(name, sd, delta, alpha, power, ratio, margin = 0) {
  c <- list(sd = sd, delta = delta, alpha = alpha, power = power, ratio = ratio, margin = margin)
  inputs <- if (margin == 0) c[1:5] else c
  known <- mean_known(c)
  near(known, z2(c) * (1 + ratio)^2 / ratio * sd^2 / (delta + margin)^2, 1e-12)
  say(paste0("means_known_", name), c(inputs, total = known))
  say(paste0("means_t_", name), c(inputs, total = mean_t(c)))
}
means("equal", 1, 0.5, 0.025, 0.9, 1)
# Printed under ?power.t.test: power = .90, delta = 1, one-sided 0.05 takes n = 17.84713 in each arm.
means("help_page", 1, 1, 0.05, 0.9, 1)
means("two_to_one", 12, 4, 0.025, 0.8, 2)
means("one_to_three", 2.5, 0.4, 0.005, 0.95, 1 / 3)
means("tiny_effect", 1, 0.01, 0.025, 0.9, 1)
means("huge_effect", 1, 3, 0.025, 0.8, 1)
means("half_power", 1, 0.3, 0.025, 0.5, 1)
# Non-inferiority: H0 says that the difference is at most -margin; `delta` is the true difference.
means("noninferiority_null", 1.2, 0, 0.025, 0.9, 1, margin = 0.3)
means("noninferiority_worse", 1.2, -0.1, 0.025, 0.8, 2, margin = 0.5)
means("noninferiority_better", 30, 2, 0.05, 0.9, 1.5, margin = 6)

# Two proportions. total: variances under the alternative for both quantiles ("unpooled"; no package
# at hand has it). total_pooled: rpact, where alpha's quantile meets the pooled variance instead.
proportions <- function(name, p1, p0, alpha, power, ratio) {
  c <- list(p1 = p1, p0 = p0, alpha = alpha, power = power, ratio = ratio)
  n0 <- z2(c) * (p1 * (1 - p1) / ratio + p0 * (1 - p0)) / (p1 - p0)^2
  pooled <- getSampleSizeRates(fixed(c), pi1 = p1, pi2 = p0, allocationRatioPlanned = ratio)$nFixed[1]
  p <- (ratio * p1 + p0) / (1 + ratio)
  near(pooled, (1 + ratio) * (qnorm(1 - alpha) * sqrt(p * (1 - p) * (1 + 1 / ratio)) +
    qnorm(power) * sqrt(p1 * (1 - p1) / ratio + p0 * (1 - p0)))^2 / (p1 - p0)^2, 1e-9)
  say(paste0("proportions_", name), c(c, total = n0 * (1 + ratio), total_pooled = pooled))
}
proportions("equal", 0.3, 0.45, 0.025, 0.9, 1)
proportions("two_to_one", 0.3, 0.45, 0.025, 0.8, 2)
proportions("rare", 0.002, 0.004, 0.025, 0.9, 1)
proportions("upwards", 0.7, 0.5, 0.05, 0.8, 0.5)
proportions("extreme", 0.99, 0.9, 0.005, 0.95, 1)

# Events of a log-rank test. hazard_ratio = treatment / control.
events <- function(name, hazard_ratio, alpha, power, ratio) {
  c <- list(hazard_ratio = hazard_ratio, alpha = alpha, power = power, ratio = ratio)
  for (by in c("Schoenfeld", "Freedman")) {
    total <- getSampleSizeSurvival(fixed(c), hazardRatio = hazard_ratio, lambda2 = 0.1, typeOfComputation = by, allocationRatioPlanned = ratio)$eventsFixed[1]
    near(total, z2(c) * switch(by, Schoenfeld = (1 + ratio)^2 / ratio / log(hazard_ratio)^2,
      Freedman = (1 + hazard_ratio * ratio)^2 / ratio / (1 - hazard_ratio)^2), 1e-12)
    say(paste0(tolower(by), "_", name), c(c, total = total))
  }
}
events("equal", 0.7, 0.025, 0.9, 1)
events("two_to_one", 0.7, 0.025, 0.8, 2)
events("one_to_two", 0.5, 0.05, 0.9, 0.5)
events("harm", 1.4, 0.025, 0.8, 1)
events("near_one", 0.95, 0.025, 0.9, 1)

# Cluster-randomized means by formula: total = total with known sd times the design effect
# 1 + ((1 + cv^2) m - 1) icc, m the mean cluster size and cv its coefficient of variation
# (Eldridge, Ashby and Kerry 2006; cv = 0 gives 1 + (m - 1) icc).
clusters <- function(name, sd, delta, alpha, power, ratio, m, icc, cv) {
  c <- list(sd = sd, delta = delta, alpha = alpha, power = power, ratio = ratio)
  effect <- 1 + ((1 + cv^2) * m - 1) * icc
  say(paste0("cluster_", name), c(c, m = m, icc = icc, cv = cv, design_effect = effect, total = mean_known(c(c, margin = 0)) * effect))
}
clusters("equal_sizes", 1, 0.3, 0.025, 0.9, 1, 20, 0.05, 0)
clusters("varying_sizes", 1, 0.3, 0.025, 0.9, 1, 20, 0.05, 0.6)
clusters("no_correlation", 4, 1, 0.05, 0.8, 2, 35, 0, 0.4)
clusters("single", 1, 0.5, 0.025, 0.8, 1, 1, 0.1, 0)
clusters("large", 1, 0.2, 0.025, 0.9, 1.5, 250, 0.01, 0.8)

# Rates of Poisson (dispersion 0) or negative binomial counts with variance mean + dispersion mean^2,
# each participant followed for `exposure`: Zhu and Lakkis (2014), variance under the alternative
# (their approach 2), by formula.
#   n0 = z2 * ((1 / rate + 1 / (ratio * rate * rate_ratio)) / exposure + dispersion * (1 + ratio) / ratio) / log(rate_ratio)^2
# Their first setting in Table I (rate 0.8, rate ratio 0.85, dispersion 0.4, exposure 0.75, power 0.8) takes 1316 in each arm.
rates <- function(name, rate, rate_ratio, exposure, dispersion, alpha, power, ratio) {
  c <- list(rate = rate, rate_ratio = rate_ratio, exposure = exposure, dispersion = dispersion, alpha = alpha, power = power, ratio = ratio)
  n0 <- z2(c) * ((1 / rate + 1 / (ratio * rate * rate_ratio)) / exposure + dispersion * (1 + ratio) / ratio) / log(rate_ratio)^2
  say(paste0("rates_", name), c(c, total = n0 * (1 + ratio)))
  invisible(n0)
}
stopifnot(ceiling(rates("table_1", 0.8, 0.85, 0.75, 0.4, 0.025, 0.8, 1)) == 1316)
rates("poisson", 0.8, 0.7, 1, 0, 0.025, 0.9, 1)
rates("poisson_two_to_one", 0.05, 0.5, 3, 0, 0.025, 0.8, 2)
rates("dispersed", 1.5, 0.667, 1, 0.5, 0.025, 0.9, 1)
rates("dispersed_one_to_two", 2, 1.5, 0.5, 1.5, 0.05, 0.8, 0.5)

writeLines(c(sprintf("# R %s, rpact %s", getRversion(), packageVersion("rpact")), "case,quantity,value", unlist(rows)),
           file.path(here, "sizes_expected.csv"))
