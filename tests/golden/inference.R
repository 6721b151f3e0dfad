# Golden values of inference after group-sequential trials. Writes inference_expected.csv beside
# itself; inference.py then adds the confidence sequences (cases cs_*), so run it afterwards.
# Run from anywhere: Rscript tests/golden/inference.R && python tests/golden/inference.py
# Made with R 4.2.2, mvtnorm 1.1.3 and rpact 3.3.4.
#
# Values come from the definitions by mvtnorm (TVPACK to three looks, Miwa beyond, good to about 1e-12) and root
# finding, because rpact's own roots are good to 1e-6 or so only. rpact computes the same quantities
# for a mean with known variance; the largest differences are printed at the end.
suppressMessages({library(mvtnorm); library(rpact)})
args <- commandArgs(FALSE)
here <- dirname(normalizePath(sub("--file=", "", args[grep("--file=", args)])))
setLogLevel("DISABLED")

rows <- list()
add <- function(name, quantity, value) {
  stopifnot(length(value) == 1, is.finite(value))
  rows[[length(rows) + 1]] <<- sprintf("%s,%s,%.17g", name, quantity, value)
}
differences <- list()
differs <- function(what, ours, theirs) {
  theirs <- theirs[!is.na(theirs)]
  if (length(theirs) == 1) differences[[what]] <<- c(differences[[what]], abs(ours - theirs))
}

# P(X_1 < u_1, ..., X_n < u_n) for normal X.
below <- function(u, mean, cov) {
  sd <- sqrt(diag(as.matrix(cov)))
  u <- (u - mean) / sd
  if (length(u) == 1) return(pnorm(u))
  by <- if (length(u) <= 3) TVPACK(abseps = 1e-15) else Miwa(steps = 4096)
  as.numeric(pmvnorm(rep(-Inf, length(u)), u, corr = cov / outer(sd, sd), algorithm = by))
}
covariance <- function(t) outer(t, t, function(a, b) sqrt(pmin(a, b) / pmax(a, b)))

# P(no boundary crossed at looks 1..k-1 and Z_k >= z), E Z_j = drift * sqrt(t_j). The last
# coordinate is reflected, so that small tails keep their digits.
exits <- function(k, z, bounds, t, drift) {
  if (k == 1) return(pnorm(z - drift * sqrt(t[1]), lower.tail = FALSE))
  sign <- c(rep(1, k - 1), -1)
  below(c(bounds[seq_len(k - 1)], -z), sign * drift * sqrt(t[1:k]), covariance(t[1:k]) * outer(sign, sign))
}
# Bisection down to neighbouring doubles.
bisect <- function(f, low, high) {
  below_low <- f(low) < 0
  stopifnot(below_low != (f(high) < 0))
  for (i in 1:200) {
    middle <- (low + high) / 2
    if (middle == low || middle == high) break
    if ((f(middle) < 0) == below_low) low <- middle else high <- middle
  }
  (low + high) / 2
}
spent <- function(c) with(c, switch(spending,
  2 * pnorm(qnorm(alpha / 2, lower.tail = FALSE) / sqrt(t), lower.tail = FALSE),
  alpha * log(1 + (exp(1) - 1) * t),
  if (gamma == 0) alpha * t else alpha * (1 - exp(-gamma * t)) / (1 - exp(-gamma)),
  alpha * t^rho))
boundaries <- function(c) {
  s <- diff(c(0, spent(c)))
  bounds <- numeric(0)
  for (k in seq_along(c$t)) bounds[k] <- if (k == 1) qnorm(s[1], lower.tail = FALSE) else
    bisect(function(z) exits(k, z, bounds, c$t, 0) - s[k], 0, 10)
  bounds
}

OF <- 1; POCOCK <- 2; HSD <- 3; POWER <- 4
case <- function(name, alpha, spending, t, info, z, gamma = NULL, rho = NULL, theta = NULL)
  list(name = name, alpha = alpha, spending = spending, t = t, info = info, z = z, gamma = gamma, rho = rho, theta = theta)

# The inputs of a case, so that it can be rebuilt.
inputs <- function(c) {
  for (q in c("alpha", "spending", "gamma", "rho", "info", "theta")) if (!is.null(c[[q]])) add(c$name, q, c[[q]])
  add(c$name, "sides", 1)
  add(c$name, "looks", length(c$t))
  for (j in seq_along(c$t)) add(c$name, paste0("t", j), c$t[j])
  add(c$name, "stop", length(c$z))
  for (j in seq_along(c$z)) add(c$name, paste0("z", j), c$z[j])
}
# The same trial in rpact: a mean of n = 1200 t values whose known sd makes z and information agree.
in_rpact <- function(c) {
  shape <- list(list(typeOfDesign = "asOF"), list(typeOfDesign = "asP"),
    list(typeOfDesign = "asHSD", gammaA = c$gamma), list(typeOfDesign = "asKD", gammaA = c$rho))[[c$spending]]
  k <- length(c$z)
  n <- round(1200 * c$t)
  stopifnot(abs(n - 1200 * c$t) < 1e-9)
  sd <- sqrt(1200 / c$info)
  design <- do.call(getDesignGroupSequential, c(shape, list(
    kMax = length(c$t), alpha = c$alpha, sided = 1, informationRates = c$t, tolerance = 1e-10)))
  data <- getDataset(overallMeans = c$z / sqrt(c$info * c$t[1:k]), overallStDevs = rep(sd, k), overallN = n[1:k])
  list(design = design, data = data, n = n, sd = sd,
       stage = getStageResults(design, data, stage = k, normalApproximation = TRUE))
}

stopped <- list(
  case("of_k2_first", 0.025, OF, c(0.5, 1), 40, 3.2),
  case("pocock_k3_middle", 0.05, POCOCK, 1:3 / 3, 100, c(1.1, 2.6)),
  case("hsd_k4_last", 0.025, HSD, 1:4 / 4, 12.5, c(0.4, 1.2, 1.9, 2.3), gamma = -4),
  case("power_k5_last_not_crossed", 0.05, POWER, 1:5 / 5, 250, c(0.1, 0.8, 1, 1.3, 1.4), rho = 3),
  case("of_k5_unequal_middle", 0.025, OF, c(0.15, 0.35, 0.6, 0.8, 1), 64, c(0.9, 1.7, 3.1)),
  case("pocock_k3_negative", 0.025, POCOCK, c(0.2, 0.7, 1), 30, c(-0.8, -1.5, -1.2)),
  case("hsd_k3_first", 0.05, HSD, c(0.25, 0.75, 1), 8, 2.9, gamma = 1),
  case("power_k4_unequal_middle", 0.025, POWER, c(0.1, 0.4, 0.75, 1), 500, c(0.5, 2, 2.7), rho = 1),
  case("hsd_0_k2_last", 0.025, HSD, c(0.5, 1), 1, c(1, 2.4), gamma = 0),
  case("of_k4_last", 0.05, OF, c(0.3, 0.5, 0.9, 1), 2000, c(1.2, 1.4, 1.65, 3.5)),
  case("of_k3_huge_first", 0.025, OF, 1:3 / 3, 75, 8),
  # Given up at the second look of three below the boundary (for futility, non-binding): the same formula.
  case("pocock_k3_given_up", 0.025, POCOCK, 1:3 / 3, 60, c(0.6, 0.2)),
  case("hsd_k1", 0.025, HSD, 1, 16, 1.5, gamma = -4)
)
for (c in stopped) {
  inputs(c)
  bounds <- boundaries(c)
  k <- length(c$z); t <- c$t; z <- c$z[k]
  stopifnot(c$z[-k] < bounds[seq_len(k - 1)])
  r <- if (length(t) > 1) in_rpact(c)
  if (!is.null(r)) {
    differs("boundary", max(abs(bounds - r$design$criticalValues)), 0)
    rci <- getRepeatedConfidenceIntervals(r$design, r$data, normalApproximation = TRUE, stage = k)
    theirs_p <- getFinalPValue(r$stage)$pFinal
    theirs <- getFinalConfidenceInterval(r$design, r$data, normalApproximation = TRUE, stage = k)
  }
  for (j in 1:k) {
    half <- bounds[j] / sqrt(c$info * t[j])
    estimate <- c$z[j] / sqrt(c$info * t[j])
    add(c$name, paste0("rci_lower_", j), estimate - half)
    add(c$name, paste0("rci_upper_", j), estimate + half)
    if (!is.null(r)) { differs("rci", estimate - half, rci[1, j]); differs("rci", estimate + half, rci[2, j]) }
  }
  more_extreme <- function(drift) {
    sum <- exits(k, z, bounds, t, drift)
    for (j in seq_len(k - 1)) sum <- sum + exits(j, bounds[j], bounds, t, drift)
    sum
  }
  effect <- function(p) bisect(function(drift) more_extreme(drift) - p, -30, 30) / sqrt(c$info)
  found <- c(p_stagewise = more_extreme(0), median_unbiased = effect(0.5), ci_lower = effect(c$alpha), ci_upper = effect(1 - c$alpha))
  for (q in names(found)) add(c$name, q, found[[q]])
  if (!is.null(r)) {
    differs("p_stagewise", found[["p_stagewise"]], theirs_p)
    differs("median_unbiased", found[["median_unbiased"]], theirs$medianUnbiased)
    differs("ci", found[["ci_lower"]], theirs$finalConfidenceInterval[1])
    differs("ci", found[["ci_upper"]], theirs$finalConfidenceInterval[2])
  }
}

# Conditional and predictive power of trials that go on after look `stop`.
going_on <- list(
  case("cp_of_k2", 0.025, OF, c(0.5, 1), 40, 1.2, theta = 0.5),
  case("cp_pocock_k3_first", 0.05, POCOCK, 1:3 / 3, 100, 1.1, theta = 0.3),
  case("cp_hsd_k4_middle", 0.025, HSD, 1:4 / 4, 12.5, c(0.4, 1.2), gamma = -4, theta = 0.9),
  case("cp_power_k5_first", 0.05, POWER, 1:5 / 5, 250, 0.7, rho = 3, theta = 0.2),
  case("cp_of_k5_unequal", 0.025, OF, c(0.15, 0.35, 0.6, 0.8, 1), 64, c(0.9, 1.7, 2), theta = 0.4),
  case("cp_pocock_k3_negative", 0.025, POCOCK, c(0.2, 0.7, 1), 30, -0.8, theta = 0.5),
  case("cp_hsd_k3_null", 0.05, HSD, c(0.25, 0.75, 1), 8, 0, gamma = 1, theta = 0),
  case("cp_last_but_one", 0.025, OF, c(0.3, 0.5, 0.9, 1), 2000, c(1.2, 1.4, 1.9), theta = 0.06)
)
for (c in going_on) {
  inputs(c)
  bounds <- boundaries(c)
  k <- length(c$z); z <- c$z[k]; at <- c$t[k]
  stopifnot(c$z < bounds[1:k])
  later <- c$t[-(1:k)]; limits <- bounds[-(1:k)]
  # Given Z_k = z, the increments after look k are independent with mean theta * info * (t - t_k).
  spread <- outer(later, later, function(a, b) (pmin(a, b) - at) / sqrt(a * b))
  mean <- function(theta) sqrt(at / later) * z + theta * sqrt(c$info) * (later - at) / sqrt(later)
  power <- function(theta) 1 - below(limits, mean(theta), spread)
  trend <- z / sqrt(c$info * at)
  add(c$name, "conditional_power", power(trend))
  add(c$name, "conditional_power_planned", power(c$theta))
  # Averaged over theta ~ N(trend, 1 / (info t_k)), which leaves a normal vector with a wider spread;
  # the average itself by integration agrees.
  wider <- spread + outer(later, later, function(a, b) (a - at) * (b - at) / (at * sqrt(a * b)))
  predictive <- 1 - below(limits, mean(trend), wider)
  sd <- 1 / sqrt(c$info * at)
  average <- integrate(function(x) sapply(x, function(u) dnorm(u) * power(trend + sd * u)), -9, 9, rel.tol = 1e-11, subdivisions = 1000)$value
  stopifnot(abs(predictive - average) < 1e-9)
  # With the final analysis alone to come: the closed form.
  if (length(later) == 1) stopifnot(abs(predictive - pnorm((z - limits * sqrt(at)) / sqrt(1 - at))) < 1e-12)
  add(c$name, "predictive_power", predictive)
  r <- in_rpact(c)
  for (theta in c(trend, c$theta)) {
    theirs <- getConditionalPower(r$stage, nPlanned = diff(r$n)[k:(length(r$n) - 1)], thetaH1 = theta, assumedStDev = r$sd)
    differs("conditional_power", power(theta), tail(theirs$conditionalPower, 1))
  }
}

# Cui, Hung and Wang (1999): the stages keep their planned weights. t1 is the planned fraction.
for (c in list(list("chw_half", 0.5, 1.3, 2.1), list("chw_unequal", 0.3, -0.4, 2.9))) {
  for (i in 2:4) add(c[[1]], c("", "t1", "z_stage1", "z_stage2")[i], c[[i]])
  add(c[[1]], "chw_z", sqrt(c[[2]]) * c[[3]] + sqrt(1 - c[[2]]) * c[[4]])
}

writeLines(c(sprintf("# R %s, mvtnorm %s, rpact %s", getRversion(), packageVersion("mvtnorm"), packageVersion("rpact")),
             "case,quantity,value", unlist(rows)), file.path(here, "inference_expected.csv"))
cat("Largest differences from rpact:\n")
for (what in names(differences)) cat(sprintf("  %s %.2g in %d\n", what, max(differences[[what]]), length(differences[[what]])))
