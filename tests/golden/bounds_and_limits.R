# Golden values of limits and bounds: Fine-Gray and cause-specific models of the Amsterdam cohort, limits of cumulative
# incidences and of Kaplan-Meier estimates, Lee bounds with standard errors, cost-effectiveness. Reads aidssi_data.csv,
# hazards_data.csv, regression_data.csv and regression_expected.csv; writes bounds_and_limits_data.csv and
# bounds_and_limits_expected.csv beside itself. Run from anywhere: Rscript tests/golden/bounds_and_limits.R
# Made with R 4.2.2, survival 3.5.3, cmprsk 2.2.11, MASS 7.3.58.2, AER 1.2.10 (versions go into the expected file).
suppressMessages({library(survival); library(cmprsk)})
options(warn = 1)
args <- commandArgs(FALSE)
here <- dirname(normalizePath(sub("--file=", "", args[grep("--file=", args)])))

rows <- list(); data <- list()
# A quantity that is not defined is left out.
add <- function(name, quantity, value) {
  value <- unname(value)
  if (length(value) == 1 && is.finite(value)) rows[[length(rows) + 1]] <<- sprintf("%s,%s,%.17g", name, quantity, value)
}
text <- function(x) ifelse(is.na(x), "", sprintf("%.17g", x))
# A second way to the same value; a difference stops the script.
same <- function(name, what, a, b, tolerance = 1e-9)
  if (!isTRUE(all(abs(a - b) <= tolerance * pmax(abs(a), abs(b))))) stop(sprintf("%s %s: %.17g and %.17g", name, what, a, b))
z <- qnorm(0.975)

# 1. Amsterdam cohort: arm 1 is the deletion of CCR5 (WM), arm 0 is WW; cause 1 AIDS, cause 2 SI. Those of unknown CCR5 are out.
ai <- subset(read.csv(file.path(here, "aidssi_data.csv"), comment.char = "#"), !is.na(ccr5))
ai$arm <- as.integer(ai$ccr5 == 2)
# coxph.control asks that toler.chol be below eps.
tight <- coxph.control(eps = 1e-14, iter.max = 50, toler.chol = 1e-15)
# The line search of crr stops on rounding before a gtol of 1e-12, so plain Newton steps with crr's own score and information
# follow until the step is below 1e-12; crr then takes its variance at that point.
fine_gray <- function(time, cause, arm, of) {
  f <- crr(time, cause, cbind(arm), failcode = of, gtol = 1e-6, maxiter = 50)
  for (turn in 1:10) {
    step <- solve(f$inf, f$score)
    if (max(abs(step)) < 1e-12) break
    f <- crr(time, cause, cbind(arm), failcode = of, gtol = 1e-5, maxiter = 50, init = f$coef + step)
  }
  stopifnot(max(abs(step)) < 1e-12, f$converged)
  c(f$coef[[1]], sqrt(f$var[1, 1]))
}
# Putter, Fiocco and Geskus (2007): Fine-Gray and cause-specific estimates with errors.
published <- list(fg_1 = c(-1.004, 0.295), fg_2 = c(0.024, 0.227), cs_1 = c(-1.236, 0.307), cs_2 = c(-0.254, 0.238))
for (of in 1:2) {
  f <- coxph(Surv(time, cause == of) ~ arm, ai, ties = "efron", control = tight)
  found <- list(fine_gray(ai$time, ai$cause, ai$arm, of), c(coef(f)[["arm"]], sqrt(f$var[1, 1])))
  names(found) <- paste0(c("fg_", "cs_"), of)
  for (what in names(found)) {
    add("aidssi", paste0(what, "_estimate"), found[[what]][1]); add("aidssi", paste0(what, "_se"), found[[what]][2])
    verdict <- if (all(round(found[[what]], 3) == published[[what]])) "reproduced" else "NOT reproduced"
    cat(sprintf("aidssi %s: %.4f (%.4f), published %.3f (%.3f): %s\n", what, found[[what]][1], found[[what]][2],
      published[[what]][1], published[[what]][2], verdict))
  }
}

# 2 and 3. Limits at 95% of cumulative incidences and Kaplan-Meier estimates at tau, each arm by itself.
# For several states, survfit 3.5.3 gives the standard error of the state's probability p by the infinitesimal jackknife, and
# applies conf.type to p itself, not to 1 - p: with "log-log" its limits are p^exp(-z se / (p log p)) below (log p is negative)
# and p^exp(z se / (p log p)) above. At p = 0 or 1 they are NA. For one survival curve the same holds with Greenwood's error,
# and limits of "log" above 1, and of "plain" outside 0 to 1, are cut there.
loglog <- function(p, se) p^exp(c(-1, 1) * z * se / (p * log(p)))
put <- function(name, prefix, p, se) {
  add(name, prefix, p)
  # No error, or an error of 0 (no event so far): no limits.
  known <- is.finite(se) && se > 0
  if (known) add(name, paste0(prefix, "_se"), se)
  known
}
limits <- function(name, prefix, pair) {
  add(name, paste0(prefix, "_lower"), pair[1]); add(name, paste0(prefix, "_upper"), pair[2])
}
incidence <- function(name, d, tau, arm) {
  causes <- max(d$cause); d <- d[d$arm == arm, ]
  # The warnings are of probabilities that rounding puts above 1, where R has no limits.
  f <- suppressWarnings(do.call(survfit, list(Surv(time, factor(cause, 0:causes)) ~ 1, data = d, conf.type = "log-log",
                                              conf.int = 0.95)))
  s <- summary(f, times = tau, extend = TRUE)
  for (of in seq_len(causes)) {
    column <- which(f$states == as.character(of)); p <- s$pstate[1, column]; se <- s$std.err[1, column]
    prefix <- sprintf("cif_%d_%d", of, arm)
    # With no event, or all of them, there are no limits.
    if (!put(name, prefix, p, se) || p >= 1) next
    found <- c(s$lower[1, column], s$upper[1, column])
    same(name, prefix, found, loglog(p, se)); limits(name, prefix, found)
    # With one cause the incidence is 1 less Kaplan-Meier, and its error is Greenwood's.
    if (causes == 1) {
      k <- summary(survfit(Surv(time, cause == 1) ~ 1, d), times = tau, extend = TRUE)
      same(name, "incidence of one cause", c(p, se), c(1 - k$surv, k$std.err))
    }
  }
}
kaplan_meier <- function(name, d, tau, arm) {
  d <- d[d$arm == arm, ]; prefix <- paste0("km_", arm)
  for (type in c("log", "plain")) {
    f <- do.call(survfit, list(Surv(time, cause == 1) ~ 1, data = d, conf.type = type, conf.int = 0.95))
    s <- summary(f, times = tau, extend = TRUE)
    known <- if (type == "log") put(name, prefix, s$surv, s$std.err) else is.finite(s$std.err) && s$std.err > 0
    if (!known) next
    width <- z * s$std.err
    made <- if (type == "log") s$surv * exp(c(-1, 1) * width / s$surv) else s$surv + c(-1, 1) * width
    same(name, paste(prefix, type), c(s$lower, s$upper), pmin(1, pmax(0, made)))
    limits(name, paste0(prefix, "_", type), c(s$lower, s$upper))
  }
}
hz <- read.csv(file.path(here, "hazards_data.csv"))
for (name in unique(hz$case)) for (arm in 0:1) {
  d <- hz[hz$case == name, ]
  incidence(name, d, d$tau[1], arm); kaplan_meier(name, d, d$tau[1], arm)
}

# 4. Lee bounds, programmed from Lee (2009), proposition 3. The arm h with the larger share answering is trimmed; p is
# (share h - share l) / share h; the answers of h are sorted from the side that is kept, and weigh 1 up to m_h (1 - p) in all,
# the last in part (ties at the edge need nothing more). With these weights mu and v are the mean and the variance (divisor the
# sum of the weights, m_h (1 - p)), and the edge y_q is the last value with a weight. That is the paper's min{y: F(y) >= q};
# where m_h (1 - p) is a whole number, as always with arms of equal size, y_q is the last value kept, on both sides (the
# paper's upper bound would then take the first value dropped, and leebounds of Stata the mean of both). The variance of the
# trimmed mean is
#   [v + (y_q - mu)^2 p] / (E[SD] (1 - p)) + ((y_q - mu) / (1 - p))^2 V_p,
#   V_p = (1 - p)^2 [(1 - share h) / (E[D] share h) + (1 - share l) / ((1 - E[D]) share l)],
# over n, the randomized of both arms, with E[SD] = m_h / n and E[D] = n_h / n. The other arm adds s^2 / m_l, s^2 with divisor
# m_l - 1 (as in Stata's leebounds; the paper leaves it open). The (1 - p) under y_q - mu is the derivative of mu by p; a
# simulation (8000 trials of 1000) gave 0.0746 and 0.0984 as the errors of the two bounds, with it 0.0748 and 0.0986, without it
# 0.0719 and 0.0932.
lee <- function(name, y, arm) {
  n <- length(y); seen <- !is.na(y)
  size <- c(sum(arm == 0), sum(arm == 1)); m <- c(sum(seen & arm == 0), sum(seen & arm == 1))
  h <- if (m[2] / size[2] > m[1] / size[1]) 2 else 1; l <- 3 - h
  share <- m / size; p <- 1 - share[l] / share[h]; stopifnot(p > 0)
  # m_h (1 - p) without rounding where it is whole.
  kept <- m[l] * size[h] / size[l]
  vp <- (1 - p)^2 * ((1 - share[h]) / (size[h] / n * share[h]) + (1 - share[l]) / (size[l] / n * share[l]))
  trimmed <- function(y) {
    weight <- pmin(1, pmax(0, kept - (seq_along(y) - 1))); mu <- sum(weight * y) / kept
    v <- sum(weight * (y - mu)^2) / kept; edge <- y[ceiling(kept)]
    variance <- (v + (edge - mu)^2 * p) / (m[h] / n * (1 - p)) + ((edge - mu) / (1 - p))^2 * vp
    c(mu, variance / n)
  }
  of_h <- sort(y[seen & arm == h - 1]); other <- y[seen & arm == l - 1]
  low <- trimmed(of_h); high <- trimmed(rev(of_h)); add_to <- var(other) / m[l]
  bounds <- if (h == 2) c(low[1], high[1]) - mean(other) else mean(other) - c(high[1], low[1])
  errors <- sqrt((if (h == 2) c(low[2], high[2]) else c(high[2], low[2])) + add_to)
  add(name, "lee_lower", bounds[1]); add(name, "lee_upper", bounds[2])
  add(name, "lee_lower_se", errors[1]); add(name, "lee_upper_se", errors[2])
  cat(sprintf("%s: arm %d trimmed, %d of %d and %d of %d answer (arms 0 and 1), %.6g of %d kept\n", name, h - 1,
    m[1], size[1], m[2], size[2], kept, m[h]))
  bounds
}
rg <- read.csv(file.path(here, "regression_data.csv"))
ex <- read.csv(file.path(here, "regression_expected.csv"), comment.char = "#")
# The two cases of missing outcomes there; their data are not repeated in this data file.
for (name in c("lee_star", "lee_pbc")) {
  d <- rg[rg$case == name, ]
  bounds <- lee(name, d$y, d$arm)
  same(name, "bounds", bounds, sapply(c("leef_lower", "leef_upper"), function(q) ex$value[ex$case == name & ex$quantity == q]))
}
record <- function(name, arm, y = NA, cost = NA, effect = NA)
  data[[length(data) + 1]] <<- paste(name, as.integer(arm), text(as.numeric(y)), text(as.numeric(cost)),
                                     text(as.numeric(effect)), sep = ",")
i <- 1:50; j <- 1:16
# Anorexia: the weight after treatment set missing by a rule; arm 1 is family therapy.
an <- subset(MASS::anorexia, Treat != "CBT"); an <- an[order(an$Treat, an$Prewt), ]
post <- ifelse(seq_len(nrow(an)) %% ifelse(an$Treat == "FT", 9, 4) == 0, NA, an$Postwt)
lee_cases <- list(
  list("lee_anorexia", an$Treat == "FT", post),
  # Answers of 4 values; the edges fall among ties. Arms of equal size, so the answers kept are a whole number.
  list("lee_ties", i %% 2, ifelse(i %% 2 == 1 & i %% 9 == 0 | i %% 2 == 0 & i %% 3 == 0, NA, (i * 7) %% 4)),
  # Arm 0 is trimmed, and all of it answers.
  list("lee_small", c(0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1), c(2.5, 4, 1, 7, 3, 6, NA, 2, NA, 5, 4.5)),
  # No ties, arms of equal size: the edge is the last value kept.
  list("lee_whole", j %% 2, ifelse(j %in% c(3, 4, 8, 14), NA, (j * 5) %% 17 / 2))
)
for (c in lee_cases) { record(c[[1]], c[[2]], c[[3]]); lee(c[[1]], c[[3]], c[[2]] + 0) }

# 5. Cost-effectiveness (Willan and Briggs 2006): differences of means, arm 1 less arm 0; variances and covariance s^2 / n in
# each arm with divisor n - 1, added over the arms. Fieller's set is where (dc - R de)^2 <= z^2 (vc - 2 R cov + R^2 ve). It is an
# interval if a = de^2 - z^2 ve > 0 (fieller_lower, fieller_upper); else all outside two roots (fieller_below: R up to it, and
# fieller_above: R from it), or the whole line (neither). fieller_kind is 1, 2 or 3. inb = lambda de - dc.
effectiveness <- function(name, arm, cost, effect) {
  record(name, arm, cost = cost, effect = effect)
  one <- arm == 1
  v <- function(a, b) cov(a[one], b[one]) / sum(one) + cov(a[!one], b[!one]) / sum(!one)
  dc <- mean(cost[one]) - mean(cost[!one]); de <- mean(effect[one]) - mean(effect[!one])
  vc <- v(cost, cost); ve <- v(effect, effect); ce <- v(cost, effect)
  same(name, "welch", sqrt(c(vc, ve)), c(t.test(cost[one], cost[!one])$stderr, t.test(effect[one], effect[!one])$stderr))
  add(name, "diff_cost", dc); add(name, "diff_effect", de); add(name, "se_cost", sqrt(vc)); add(name, "se_effect", sqrt(ve))
  add(name, "covariance", ce); icer <- dc / de; add(name, "icer", icer)
  a <- de^2 - z^2 * ve; h <- dc * de - z^2 * ce; k <- dc^2 - z^2 * vc; inside <- h^2 - a * k
  kind <- if (a > 0) 1 else if (inside > 0) 2 else 3
  add(name, "fieller_kind", kind)
  if (kind < 3) {
    roots <- sort((h + c(-1, 1) * sqrt(inside)) / a)
    same(name, "fieller", (dc - roots * de)^2, z^2 * (vc - 2 * roots * ce + roots^2 * ve))
    sides <- if (kind == 1) c("lower", "upper") else c("below", "above")
    for (side in 1:2) add(name, paste0("fieller_", sides[side]), roots[side])
  }
  for (by in c(half = 0.5, one = 1, two = 2)) {
    lambda <- by * abs(icer); word <- c("half", "one", "two")[match(by, c(0.5, 1, 2))]
    inb <- lambda * de - dc; se <- sqrt(lambda^2 * ve + vc - 2 * lambda * ce)
    # At the ratio itself the benefit is 0 but for rounding.
    if (abs(inb) < 1e-12 * abs(dc)) inb <- 0
    net <- function(arm) lambda * effect[arm] - cost[arm]
    same(name, "inb se", se, t.test(net(one), net(!one))$stderr)
    add(name, paste0("lambda_", word), lambda); add(name, paste0("inb_", word), inb)
    add(name, paste0("inb_", word, "_se"), se); add(name, paste0("inb_", word, "_lower"), inb - z * se)
    add(name, paste0("inb_", word, "_upper"), inb + z * se); add(name, paste0("acceptability_", word), pnorm(inb / se))
  }
  cat(sprintf("%s: icer %.4g, kind %d\n", name, icer, kind))
}
# Visits and stays of the elderly priced by hand, and health scored; insurance is the arm (not randomized, here only numbers).
data(NMES1988, package = "AER", envir = environment())
nm <- NMES1988[seq(1, nrow(NMES1988), 25), ]
effectiveness("ce_nmes", nm$insurance == "yes", 80 * nm$visits + 50 * nm$nvisits + 400 * nm$emergency + 5000 * nm$hospital,
              c(poor = 0.3, average = 0.7, excellent = 0.95)[as.character(nm$health)])
# Years within five of follow-up; a cost of the arm, of each year and of each affected node.
co <- subset(colon, etype == 2 & rx != "Lev" & !is.na(nodes)); years <- pmin(co$time, 1826) / 365.25
effectiveness("ce_colon", co$rx == "Lev+5FU", 6000 * (co$rx == "Lev+5FU") + 1200 * years + 250 * co$nodes, years)
# Weight gained; family therapy costs more, and the light cost more.
gain <- subset(MASS::anorexia, Treat != "CBT")
effectiveness("ce_anorexia", gain$Treat == "FT", 900 * (gain$Treat == "FT") + 25 * (100 - gain$Prewt), gain$Postwt - gain$Prewt)
# Few participants and next to no effect: the set is the whole line; with a clear cost, all outside two roots.
effectiveness("ce_small", c(0, 0, 0, 0, 1, 1, 1, 1), c(100, 140, 90, 120, 110, 150, 95, 130),
              c(0.5, 0.7, 0.6, 0.4, 0.6, 0.5, 0.75, 0.4))
effectiveness("ce_outside", c(0, 0, 0, 0, 1, 1, 1, 1, 1), c(100, 140, 90, 120, 310, 350, 295, 330, 305),
              c(0.5, 0.7, 0.6, 0.4, 0.6, 0.5, 0.75, 0.4, 0.65))
# Dearer and less effective: a negative ratio.
effectiveness("ce_dominated", rep(0:1, each = 6), c(10, 12, 9, 14, 11, 13, 20, 22, 18, 25, 21, 19),
              c(8, 9.5, 7.5, 9, 8.5, 10, 5, 4.5, 6, 5.5, 4, 6.5))

writeLines(c("case,arm,y,cost,effect", unlist(data)), file.path(here, "bounds_and_limits_data.csv"))
packages <- c("survival", "cmprsk", "MASS", "AER")
versions <- paste(packages, sapply(packages, function(p) as.character(packageVersion(p))), collapse = ", ")
writeLines(c(sprintf("# R %s, %s", getRversion(), versions), "case,quantity,value", unlist(rows)),
           file.path(here, "bounds_and_limits_expected.csv"))
