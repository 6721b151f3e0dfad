# Golden values of the hazard, competing-risk, recurrent-event and count estimators. Writes hazards_data.csv,
# recurrent_data.csv, counts_data.csv and hazards_expected.csv beside itself.
# Run from anywhere: Rscript tests/golden/hazards.R
# Made with R 4.2.2, survival 3.5.3, cmprsk 2.2.11, MASS 7.3.58.2, sandwich 3.0.2 (versions go into the expected file).
suppressMessages({library(survival); library(cmprsk); library(sandwich)})
options(warn = 1)
args <- commandArgs(FALSE)
here <- dirname(normalizePath(sub("--file=", "", args[grep("--file=", args)])))

rows <- list(); data <- list(); recurrent <- list(); counts <- list()
# A quantity that is not defined is left out.
add <- function(name, quantity, value) {
  value <- unname(value)
  if (length(value) == 1 && is.finite(value)) rows[[length(rows) + 1]] <<- sprintf("%s,%s,%.17g", name, quantity, value)
}
text <- function(x) ifelse(is.na(x), "", sprintf("%.17g", x))
# A fit that warns (an infinite estimate, no convergence) or fails gives nothing; the reason is printed.
quiet <- function(name, what, expr) tryCatch(expr,
  warning = function(w) { cat(name, what, "left out:", conditionMessage(w), "\n"); NULL },
  error = function(e) { cat(name, what, "left out:", conditionMessage(e), "\n"); NULL })

case <- function(name, time, cause, arm, stratum, cluster, x1, x2, tau, exact = FALSE) {
  n <- length(time)
  list(name = name, tau = tau, exact = exact, data = data.frame(time, cause = as.integer(cause), arm = as.integer(arm),
    stratum = rep_len(as.character(stratum), n), cluster = rep_len(as.integer(cluster), n),
    x1 = rep_len(as.numeric(x1), n), x2 = rep_len(as.numeric(x2), n)))
}

v <- veteran
l <- subset(lung, !is.na(ph.ecog) & !is.na(inst) & !is.na(ph.karno))
k <- subset(colon, etype == 2 & rx != "Lev" & !is.na(nodes))
p <- subset(pbc, !is.na(trt))
g <- MASS::gehan
m <- subset(mgus2, !is.na(hgb)); m <- m[seq(1, nrow(m), 4), ]
r <- rotterdam[seq(1, nrow(rotterdam), 10), ]
z <- MASS::Melanoma
o <- carData::Rossi  # financial aid to released prisoners, randomized
cases <- list(
  case("veteran", v$time, v$status, v$trt == 2, v$celltype, NA, v$karno, v$age, 300, TRUE),
  case("lung", l$time, l$status == 2, l$sex == 2, l$ph.ecog, l$inst, l$age, l$ph.karno, 700, TRUE),
  # Age in years serves as a cluster of unequal size; each participant has one row.
  case("colon", k$time, k$status, k$rx == "Lev+5FU", k$extent, k$age, k$nodes, k$obstruct, 2000),
  case("pbc", p$time / 365.25, c(0, 2, 1)[p$status + 1], p$trt == 1, p$stage, NA, p$age, log(p$bili), 10),
  case("gehan", g$time, g$cens, g$treat == "6-MP", g$pair, g$pair, NA, NA, 20, TRUE),
  case("mgus2", ifelse(m$pstat == 1, m$ptime, m$futime), ifelse(m$pstat == 1, 1, 2 * m$death), m$sex == "M",
       ifelse(m$dxyr < 1985, "early", "late"), m$dxyr, m$age, m$hgb, 240),
  # Relapse, or death without relapse.
  case("rotterdam", pmin(r$rtime, r$dtime), ifelse(r$recur == 1, 1, 2 * r$death), r$hormon, r$size, r$year, r$age, r$nodes, 3000),
  case("melanoma", z$time, c(1, 0, 2)[z$status], z$ulcer, z$sex, z$year, log(z$thickness), z$age, 3500, TRUE),
  case("rossi", o$week, o$arrest, o$fin == "yes", o$race, NA, o$age, o$prio, 52, TRUE),
  # Edge cases.
  case("ties", rep(1:3, each = 8), rep(c(1, 1, 0, 1), 6), rep(c(0, 0, 0, 0, 1, 1, 1), length.out = 24), rep(c("a", "b"), 12),
       NA, NA, NA, 3, TRUE),
  case("ties_competing", rep(1:3, each = 12), rep(c(1, 2, 0, 1, 3, 1, 2), length.out = 36), rep(c(0, 0, 1, 1, 1), length.out = 36),
       rep(c("a", "b", "b"), 12), rep(c(1, 1, 2, 3, 3, 3, 3, 4, 5), 4), rep(c(0.5, 1, 3, 2), 9), NA, 2, TRUE),
  case("one_event", c(5, 3, 5, 5, 5, 5), c(0, 1, 0, 0, 0, 0), c(0, 0, 0, 1, 1, 1), c("a", "a", "b", "a", "a", "b"), NA, NA, NA, 5, TRUE),
  case("one_stratum", c(3, 5, 7, 2, 18, 16, 2, 9, 16, 16), c(1, 1, 1, 0, 1, 0, 1, 1, 1, 0), rep(0:1, 5), "a", NA, NA, NA, 12, TRUE),
  case("one_arm_in_stratum", c(1, 4, 6, 2, 5, 7, 3, 8), c(1, 1, 0, 1, 0, 1, 1, 1), c(0, 0, 1, 1, 1, 0, 0, 0),
       c("a", "a", "a", "a", "a", "a", "b", "b"), NA, NA, NA, 6, TRUE),
  case("no_event_in_stratum", c(4, 2, 9, 7, 5, 11, 3, 8, 6, 10), c(1, 2, 1, 1, 1, 0, 0, 2, 0, 0), c(0, 1, 0, 1, 1, 0, 0, 1, 1, 0),
       c("a", "a", "a", "a", "a", "a", "b", "b", "b", "b"), NA, NA, NA, 8, TRUE),
  case("two_participants", c(1, 2), c(1, 1), c(0, 1), "a", NA, NA, NA, 2, TRUE),
  case("unequal_clusters", c(5, 8, 3, 12, 9, 1, 14, 6, 7, 10, 2, 15, 4, 11), c(1, 1, 0, 1, 1, 1, 0, 1, 2, 1, 1, 1, 1, 0),
       c(0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 1, 1, 0, 0), rep(c("a", "b"), 7), c(1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 4, 5, 6),
       c(2.5, 1, 0, 3, 1.5, 4, 0.5, 2, 2, 1, 3.5, 0, 1, 2), NA, 10, TRUE),
  # Times and a covariate far from zero.
  case("large_offset", 1e6 + c(1, 2, 2, 3.5, 5, 5, 6, 8, 9, 9, 11, 14), c(1, 0, 1, 2, 1, 1, 0, 1, 2, 1, 1, 0),
       c(0, 1, 0, 0, 1, 0, 1, 0, 1, 1, 0, 1), rep(c("a", "a", "b"), 4), NA, 1e5 + c(3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8),
       c(2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5) / 100, 1e6 + 8, TRUE)
)

# coxph.control asks that toler.chol be below eps.
tight <- coxph.control(eps = 1e-14, iter.max = 50, toler.chol = 1e-15)
# The data are put into the call, so that later functions find them.
cox <- function(terms, d, ties = "efron", ...)
  do.call(coxph, list(as.formula(paste("Surv(time, cause == 1) ~", terms)), data = d, ties = ties, control = tight, x = TRUE, ...))
# The arm's standard error, naive if the fit is robust too.
se <- function(f) sqrt((if (is.null(f$naive.var)) f$var else f$naive.var)[1, 1])
effect <- function(name, prefix, f) {
  add(name, paste0(prefix, "_estimate"), coef(f)[1]); add(name, paste0(prefix, "_se"), se(f))
  if (!is.null(f$naive.var)) add(name, paste0(prefix, "_se_robust"), sqrt(f$var[1, 1]))
}
tests <- function(name, prefix, f) {
  add(name, paste0(prefix, "_wald"), f$wald.test); add(name, paste0(prefix, "_score"), f$score)
  add(name, paste0(prefix, "_lrt"), 2 * diff(f$loglik))
}

# Fleming-Harrington weighted log-rank test by its formula (no package here has gamma): at each event time the weight is
# S^rho (1 - S)^gamma, S the pooled Kaplan-Meier estimate just before that time.
fleming_harrington <- function(d, rho, gamma) {
  s <- 1; u <- 0; variance <- 0
  for (t in sort(unique(d$time[d$cause == 1]))) {
    n <- sum(d$time >= t); n1 <- sum(d$time >= t & d$arm == 1)
    e <- sum(d$time == t & d$cause == 1); e1 <- sum(d$time == t & d$cause == 1 & d$arm == 1)
    w <- s^rho * (1 - s)^gamma
    u <- u + w * (e1 - e * n1 / n)
    if (n > 1) variance <- variance + w^2 * e * (n1 / n) * (1 - n1 / n) * (n - e) / (n - 1)
    s <- s * (1 - e / n)
  }
  u^2 / variance
}

restricted_mean <- function(d, tau) {
  t <- summary(survfit(Surv(time, cause == 1) ~ 1, d), rmean = tau)$table
  c(t[["rmean"]], t[["se(rmean)"]])
}
# Regression of pseudo-values on the arm and covariates, with HC2 standard errors.
regression <- function(name, prefix, pseudo, d, terms) {
  force(pseudo)
  f <- lm(as.formula(paste("pseudo ~", terms)), d)
  if (f$df.residual < 1) return()
  add(name, paste0(prefix, "_estimate"), coef(f)[["arm"]])
  if (all(hatvalues(f) < 1 - 1e-9)) add(name, paste0(prefix, "_se"), sqrt(vcovHC(f, type = "HC2")["arm", "arm"]))
}

# Fine and Gray. The line search of crr stops on rounding before a gtol of 1e-12, so plain Newton steps with crr's own score and
# information follow until the step is below 1e-12; crr then takes its variance at that point.
fine_gray <- function(name, prefix, d, columns) {
  # Scaled covariates leave the arm's coefficient as it is and keep the information well conditioned.
  x <- cbind(d$arm, if (length(columns) > 1) scale(d[columns[-1]]))
  f <- quiet(name, prefix, crr(d$time, d$cause, x, gtol = 1e-6, maxiter = 50))
  if (is.null(f)) return()
  for (turn in 1:10) {
    step <- solve(f$inf, f$score)
    if (max(abs(step)) < 1e-12) break
    f <- crr(d$time, d$cause, x, gtol = 1e-5, maxiter = 50, init = f$coef + step)
  }
  if (max(abs(step)) >= 1e-12 || !f$converged) { cat(name, prefix, "left out: last step", max(abs(step)), "\n"); return() }
  add(name, paste0(prefix, "_estimate"), f$coef[1]); add(name, paste0(prefix, "_se"), sqrt(f$var[1, 1]))
}

analyse <- function(c) {
  d <- c$data; name <- c$name; tau <- c$tau; n <- nrow(d)
  for (i in seq_len(n))
    data[[length(data) + 1]] <<- sprintf("%s,%.17g,%d,%d,%s,%s,%s,%s,%.17g", name, d$time[i], d$cause[i], d$arm[i], d$stratum[i],
      if (is.na(d$cluster[i])) "" else d$cluster[i], text(d$x1[i]), text(d$x2[i]), tau)
  x <- c("x1", "x2")[c(!is.na(d$x1[1]), !is.na(d$x2[1]))]
  adjusted <- paste(c("arm", x), collapse = " + ")

  # Cox models. The score test needs no finite estimate.
  f <- quiet(name, "cox", cox("arm", d, robust = TRUE))
  if (is.null(f)) {
    add(name, "cox_score", suppressWarnings(coxph(Surv(time, cause == 1) ~ arm, d, iter.max = 0))$score)
  } else {
    effect(name, "cox", f)
    plain <- cox("arm", d)
    add(name, "cox_lower", confint(plain)[1, 1]); add(name, "cox_upper", confint(plain)[1, 2])
    tests(name, "cox", plain)
    if (!is.na(d$cluster[1])) add(name, "cox_se_cluster", sqrt(cox("arm", d, cluster = d$cluster)$var[1, 1]))
    zph <- quiet(name, "zph", cox.zph(plain, transform = "km")$table)
    if (!is.null(zph)) { add(name, "zph_chisq", zph["arm", "chisq"]); add(name, "zph_p", zph["arm", "p"]) }
    if (length(x)) {
      f <- quiet(name, "coxx", cox(adjusted, d, robust = TRUE))
      if (!is.null(f)) {
        effect(name, "coxx", f)
        plain <- cox(adjusted, d)
        tests(name, "coxx", plain)
        zph <- quiet(name, "zphx", cox.zph(plain, transform = "km", terms = TRUE)$table)
        if (!is.null(zph)) { add(name, "zphx_chisq", zph["arm", "chisq"]); add(name, "zphx_global", zph["GLOBAL", "chisq"]) }
      }
    }
    f <- quiet(name, "coxb", cox(adjusted, d, "breslow", robust = TRUE)); if (!is.null(f)) effect(name, "coxb", f)
    f <- quiet(name, "coxs", cox(paste(adjusted, "+ strata(stratum)"), d, robust = TRUE)); if (!is.null(f)) effect(name, "coxs", f)
    if (c$exact) { f <- quiet(name, "coxe", cox(adjusted, d, "exact")); if (!is.null(f)) effect(name, "coxe", f) }
  }

  # Weighted log-rank tests. The formula is checked against survdiff where both have the weights.
  add(name, "fh_1_0", survdiff(Surv(time, cause == 1) ~ arm, d, rho = 1)$chisq)
  stopifnot(abs(fleming_harrington(d, 1, 0) / survdiff(Surv(time, cause == 1) ~ arm, d, rho = 1)$chisq - 1) < 1e-9)
  add(name, "fh_0_1", fleming_harrington(d, 0, 1)); add(name, "fh_1_1", fleming_harrington(d, 1, 1))
  add(name, "fh_0_0.5", fleming_harrington(d, 0, 0.5))

  # Restricted means.
  m0 <- restricted_mean(d[d$arm == 0, ], tau); m1 <- restricted_mean(d[d$arm == 1, ], tau)
  add(name, "rmst_ratio", log(m1[1] / m0[1])); add(name, "rmst_ratio_log_se", sqrt((m1[2] / m1[1])^2 + (m0[2] / m0[1])^2))
  whole <- do.call(survfit, list(Surv(time, cause == 1) ~ 1, data = d))
  # pseudo of survival 3.5.3 stops with an error in the case with one event.
  pseudo <- quiet(name, "rmst_adj", as.vector(survival::pseudo(whole, times = tau, type = "RMST")))
  if (!is.null(pseudo)) regression(name, "rmst_adj", pseudo, d, adjusted)
  all <- restricted_mean(d, tau)[1]
  loo <- if (n > 2) sapply(seq_len(n), function(i) n * all - (n - 1) * restricted_mean(d[-i, ], tau)[1])
  if (!is.null(loo)) regression(name, "rmst_adj_loo", loo, d, adjusted)

  # Competing risks.
  if (max(d$cause) > 1) {
    f <- survfit(Surv(time, factor(cause, 0:max(cause))) ~ arm, d)
    s <- summary(f, times = tau, extend = TRUE)
    column <- which(f$states == "1")
    gray <- cuminc(d$time, d$cause, d$arm, cencode = 0)
    at <- timepoints(gray, tau)
    for (a in 0:1) {
      add(name, paste0("cif_1_", a), s$pstate[a + 1, column])
      add(name, paste0("cif_se_1_", a), s$std.err[a + 1, column])
      add(name, paste0("cif_se_cmprsk_", a), sqrt(at$var[paste(a, 1), 1]))
      if (!is.na(at$est[paste(a, 1), 1])) stopifnot(abs(at$est[paste(a, 1), 1] - s$pstate[a + 1, column]) < 1e-10)
    }
    add(name, "gray_chisq", gray$Tests["1", "stat"])
    add(name, "gray_strat_chisq", cuminc(d$time, d$cause, d$arm, d$stratum, cencode = 0)$Tests["1", "stat"])
    fine_gray(name, "fg", d, "arm")
    if (length(x)) fine_gray(name, "fgx", d, c("arm", x))
  }
}
for (c in cases) analyse(c)

# A million participants, made the same way in the Rust test.
i <- 0:999999
large <- data.frame(time = ((i * 7919) %% (521 + 20 * (i %% 2))) / 7 + 1 / 7, cause = ifelse((i * 31) %% 10 < 6, 1, 0), arm = i %% 2,
                    stratum = i %% 5, x1 = ((i * 7919) %% 10007) / 10007, x2 = ((i * 104729) %% 9973) / 9973)
effect("million", "cox", cox("arm + x1 + x2", large))
effect("million", "coxs", cox("arm + x1 + x2 + strata(stratum)", large))

# Recurrent events as a counting process, robust by participant (Lin, Wei, Yang, Ying).
b1 <- subset(bladder1, treatment != "pyridoxine" & stop > start)
recurrences <- list(
  # Every recurrence; deaths end the follow-up.
  list("bladder1", b1$id, b1$start, b1$stop, b1$status == 1, b1$treatment == "thiotepa"),
  # The first four recurrences.
  list("bladder2", bladder2$id, bladder2$start, bladder2$stop, bladder2$event, bladder2$rx == 2),
  list("cgd", cgd$id, cgd$tstart, cgd$tstop, cgd$status, cgd$treat == "rIFN-g"),
  # Ties, a late start, a gap, and participants without events.
  list("recurrent_ties", c(1, 1, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8), c(0, 2, 4, 0, 2, 0, 0, 3, 1, 0, 3, 0, 2),
       c(2, 4, 5, 2, 5, 4, 2, 4, 4, 2, 5, 5, 4), c(1, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0), c(0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0))
)
for (c in recurrences) {
  d <- data.frame(id = c[[2]], start = c[[3]], stop = c[[4]], event = as.integer(c[[5]]), arm = as.integer(c[[6]]))
  for (i in seq_len(nrow(d)))
    recurrent[[length(recurrent) + 1]] <- sprintf("%s,%d,%.17g,%.17g,%d,%d", c[[1]], as.integer(d$id[i]), d$start[i], d$stop[i], d$event[i], d$arm[i])
  for (ties in c("efron", "breslow")) {
    f <- coxph(Surv(start, stop, event) ~ arm, d, cluster = id, ties = ties, control = tight)
    prefix <- if (ties == "efron") "lwyy" else "lwyyb"
    add(c[[1]], paste0(prefix, "_estimate"), coef(f)); add(c[[1]], paste0(prefix, "_se"), sqrt(f$var[1, 1]))
  }
}

# Counts. glm.nb stops theta.ml early (eps 1.2e-4), so its two steps are repeated with MASS's own functions until nothing moves.
negative_binomial <- function(formula, d) {
  f <- MASS::glm.nb(formula, d, control = glm.control(epsilon = 1e-12, maxit = 200))
  theta <- f$theta
  for (step in 1:2000) {
    old <- c(coef(f), theta)
    d$eta <- predict(f)
    f <- glm(formula, MASS::negative.binomial(theta), d, etastart = eta, control = glm.control(epsilon = 1e-15, maxit = 3)) |> suppressWarnings()
    estimate <- MASS::theta.ml(d$y, fitted(f), limit = 200, eps = 1e-12) |> suppressWarnings()
    theta <- as.vector(estimate)
    if (all(abs(c(coef(f), theta) - old) <= 1e-13 * pmax(1, abs(old)))) break
  }
  if (step == 2000) stop("no convergence")
  # The dispersion of a negative binomial fit is 1.
  list(coef = coef(f), se = sqrt(diag(summary(f, dispersion = 1)$cov.scaled)), theta = theta, theta_se = attr(estimate, "SE"))
}
q <- MASS::quine; e <- MASS::epil
total <- aggregate(y ~ subject + trt, e, sum)
cg <- do.call(rbind, lapply(split(cgd, cgd$id), function(s) data.frame(y = sum(s$status), arm = s$treat[1] == "rIFN-g", exposure = max(s$tstop))))
bl <- do.call(rbind, lapply(split(b1, b1$id), function(s) data.frame(y = sum(s$status == 1), arm = s$treatment[1] == "thiotepa", exposure = max(s$stop))))
count_cases <- list(
  list("quine_sex", q$Days, q$Sex == "M", 1),
  list("quine_eth", q$Days, q$Eth == "N", 1),
  list("epil", total$y, total$trt == "progabide", 8),
  list("cgd_counts", cg$y, cg$arm, cg$exposure / 365.25),
  list("bladder_counts", bl$y, bl$arm, bl$exposure),
  # Most participants without events; one large count and exposures far apart.
  list("many_zeros", c(0, 0, 0, 3, 0, 0, 11, 1, 0, 0, 0, 0, 0, 2, 0, 0), rep(0:1, each = 8), c(1, 2, 0.5, 4, 1, 0.01, 100, 3, 1, 2, 1, 5, 0.25, 1, 8, 2)),
  # Less variable than Poisson: theta has no finite estimate, so only the robust Poisson values are given.
  list("equal_counts", rep(3, 10), rep(0:1, 5), seq(1, 2, length.out = 10)),
  # The main effects of Ethnicity (arm), Sex, Age and Learner; x1 is male, x2..x4 are F1..F3, x5 is slow learner.
  list("quine_full", q$Days, q$Eth == "N", 1)
)
for (c in count_cases) {
  name <- c[[1]]
  d <- data.frame(y = c[[2]], arm = as.integer(c[[3]]), exposure = c[[4]])
  formula <- y ~ arm + offset(log(exposure)); covariates <- matrix("", nrow(d), 5)
  if (name == "quine_full") {
    x <- cbind(x1 = q$Sex == "M", x2 = q$Age == "F1", x3 = q$Age == "F2", x4 = q$Age == "F3", x5 = q$Lrn == "SL") + 0
    covariates <- apply(x, 2, as.character); d <- cbind(d, x)
    formula <- y ~ arm + x1 + x2 + x3 + x4 + x5 + offset(log(exposure))
  }
  for (i in seq_len(nrow(d)))
    counts[[length(counts) + 1]] <- paste(c(sprintf("%s,%d,%d,%.17g", name, as.integer(d$y[i]), d$arm[i], d$exposure[i]), covariates[i, ]), collapse = ",")
  if (name != "equal_counts") {
    f <- negative_binomial(formula, d)
    add(name, "nb_estimate", f$coef[["arm"]]); add(name, "nb_se", f$se[["arm"]])
    add(name, "nb_theta", f$theta); add(name, "nb_theta_se", f$theta_se)
    add(name, "nb_lower", f$coef[["arm"]] - qnorm(0.975) * f$se[["arm"]]); add(name, "nb_upper", f$coef[["arm"]] + qnorm(0.975) * f$se[["arm"]])
  }
  f <- glm(formula, poisson, d, control = glm.control(epsilon = 1e-14, maxit = 100))
  add(name, "pois_robust_estimate", coef(f)[["arm"]]); add(name, "pois_robust_se", sqrt(vcovHC(f, type = "HC0")["arm", "arm"]))
}

writeLines(c("case,time,cause,arm,stratum,cluster,x1,x2,tau", unlist(data)), file.path(here, "hazards_data.csv"))
writeLines(c("case,id,start,stop,event,arm", unlist(recurrent)), file.path(here, "recurrent_data.csv"))
writeLines(c("case,y,arm,exposure,x1,x2,x3,x4,x5", unlist(counts)), file.path(here, "counts_data.csv"))
writeLines(c(sprintf("# R %s, survival %s, cmprsk %s, MASS %s, sandwich %s", getRversion(), packageVersion("survival"),
                     packageVersion("cmprsk"), packageVersion("MASS"), packageVersion("sandwich")),
             "case,quantity,value", unlist(rows)), file.path(here, "hazards_expected.csv"))
