# Golden values of the regression estimators: blocked difference in means, ancova, Lin's interacted ancova, CR2,
# standardization, complier effects, balance, heterogeneity, Lee and Manski bounds, Rubin's rules. Writes
# regression_data.csv and regression_expected.csv beside itself. Run from anywhere: Rscript tests/golden/regression.R
# The versions it was made with are written into the second file.
suppressMessages({
  library(survival); library(sandwich); library(clubSandwich); library(AER); library(MASS); library(metafor); library(estimatr)
})
args <- commandArgs(FALSE)
here <- dirname(normalizePath(sub("--file=", "", args[grep("--file=", args)])))

case <- function(name, y, arm, stratum = "all", cluster = NA, received = NA, x1 = NA, x2 = NA, x3 = NA)
  list(name = name, data = data.frame(y = as.numeric(y), arm = as.integer(arm), stratum = as.character(stratum),
    cluster = as.character(cluster), received = as.integer(received), x1 = as.numeric(x1), x2 = as.numeric(x2), x3 = as.numeric(x3)))

# Star: the achievement support and the fellowship arm of a Canadian trial at a university; thirds of the school grade as strata.
s <- alo_star_men
third <- cut(s$gpa0, quantile(s$gpa0, 0:3 / 3), c("low", "mid", "high"), include.lowest = TRUE)
# Awards: Israeli schools randomized in pairs; every tenth or eleventh pupil. The received column is "attempted 20 units or more",
# a two-sided stand-in for uptake.
every <- function(d, k) d[seq(1, nrow(d), by = k), ]
a1 <- as.data.frame(every(subset(AchievementAwardsRCT, year == "2001"), 10))
a2 <- as.data.frame(every(subset(AchievementAwardsRCT, year == "2000"), 11))
an <- subset(anorexia, Treat != "FT")
rh <- every(rhDNase[!duplicated(rhDNase$id), ], 3)
ba <- bacteria
# Visit of pbcseq nearest to a year, with the values at entry.
base <- subset(pbcseq, day == 0)
year <- subset(pbcseq, day > 300 & day < 450); year <- year[!duplicated(year$id), ]
pb <- merge(base, year[, c("id", "bili", "albumin")], by = "id", suffixes = c("", "_year"), all.x = TRUE)
py <- subset(pb, !is.na(bili_year))

i <- 1:40
cases <- list(
  case("star", s$GPA_year1, s$ssp, third, x1 = s$gpa0),
  case("anorexia", an$Postwt, an$Treat == "CBT", x1 = an$Prewt),
  case("awards_pass", a1$Bagrut_status, a1$treated, a1$school_type, a1$school_id, a1$attempted >= 20, x1 = a1$lagscore, x2 = a1$father_ed, x3 = a1$siblings),
  case("awards_units", a2$awarded, a2$treated, paste0("p", a2$pair), a2$school_id, a2$attempted >= 20, a2$lagscore, a2$mother_ed),
  case("cgd", !is.na(cgd0$etime1), cgd0$treat, cgd0$hos.cat, cgd0$center, x1 = cgd0$age, x2 = cgd0$weight),
  case("rhdnase", !is.na(rh$ivstart), rh$trt, ifelse(rh$fev < 60, "below 60", "60 up"), rh$inst, x1 = rh$fev),
  # Received: the active drug with high compliance, so nobody in the placebo arm received it.
  case("bacteria", ba$y == "y", ba$ap == "a", paste0("w", ba$week), ba$ID, ba$ap == "a" & ba$hilo == "hi"),
  case("pbc", log(py$bili_year), py$trt == 1, py$stage, x1 = log(py$bili), x2 = py$albumin, x3 = py$age),
  # Edge cases.
  case("ties", c(2, 5)[1 + ((i[1:24] * 7) %% 11 < 5)], i[1:24] %% 2, c("a", "b")[1 + (i[1:24] > 10)],
       rep(1:6, each = 4), ifelse(i[1:24] %% 5 == 0, 1 - i[1:24] %% 2, i[1:24] %% 2), x1 = i[1:24] %% 3),
  case("small_six", c(1.5, 2, 4, 3, 7, 5), c(0, 1, 0, 1, 0, 1), "all", c("u", "u", "v", "v", "w", "w"), c(0, 1, 0, 1, 0, 1), c(3, 1, 4, 1.5, 9, 2.6)),
  case("stratum_without_arm", c(1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0), c(0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0),
       rep(c("a", "b", "c"), c(8, 8, 4)), rep(c("k", "l", "m", "n", "o"), 4), x1 = (1:20 * 7) %% 11),
  case("leverage", (i[1:20] * 31) %% 17 / 4 + (i[1:20] %% 2), i[1:20] %% 2, c("a", "b")[1 + (i[1:20] %% 5 < 2)], c("p", "q", "r", "s", "t")[1 + i[1:20] %% 5],
       x1 = c((1:19 * 13) %% 7 / 2, 250)),
  case("offset", 1e6 + (i * 37) %% 23 / 8 + 0.5 * (i %% 2), i %% 2, c("a", "b", "c")[1 + (i %% 3)], (i * 3) %% 8, (i %% 2) * (i %% 7 > 1), x1 = 1e4 + (i * 11) %% 13),
  case("clusters_unequal", (1:51 * 29) %% 19 / 3 + (1:51 > 8) * 0.25, rep(c(0, 1, 0, 1, 0, 1, 0, 1), c(1, 1, 1, 2, 3, 5, 8, 30)), c("a", "b")[1 + (1:51 %% 2)],
       rep(letters[1:8], c(1, 1, 1, 2, 3, 5, 8, 30)), x1 = (1:51 * 17) %% 23 / 5),
  case("clusters_mixed", (1:51 * 29) %% 19 / 3, (1:51 * 5) %% 3 == 0, c("a", "b")[1 + (1:51 %% 2)],
       rep(letters[1:8], c(1, 1, 1, 2, 3, 5, 8, 30)), x1 = (1:51 * 17) %% 23 / 5),
  # An instrument too weak for the Anderson-Rubin set to be an interval.
  case("weak", (i * 17) %% 13 / 2, i %% 2, "all", received = (i * 7) %% 10 < 4 + 4 * (i %% 20 == 1))
)

rows <- list(); data <- list()
add <- function(name, quantity, value) if (length(value) == 1 && is.finite(value))
  rows[[length(rows) + 1]] <<- sprintf("%s,%s,%.17g", name, quantity, value)
add_all <- function(name, prefix, values) for (q in names(values)) add(name, paste0(prefix, "_", q), values[[q]])
close_to <- function(a, b, eps = 1e-7) stopifnot(all(is.finite(c(a, b))), abs(a - b) <= eps * (abs(a) + abs(b)))
text <- function(x) ifelse(is.na(x), "", sprintf("%.17g", x))
record <- function(c) {
  d <- c$data
  data[[length(data) + 1]] <<- sprintf("%s,%s,%d,%s,%s,%s,%s,%s,%s", c$name, text(d$y), d$arm, d$stratum,
    ifelse(is.na(d$cluster), "", d$cluster), text(d$received), text(d$x1), text(d$x2), text(d$x3))
}
t_interval <- function(estimate, se, df) list(lower = estimate - qt(0.975, df) * se, upper = estimate + qt(0.975, df) * se,
                                              p = 2 * pt(-abs(estimate / se), df))

# Covariates in use: those not empty, and stratum dummies where there is more than one stratum.
terms_of <- function(d) c(if (length(unique(d$stratum)) > 1) "factor(stratum)", c("x1", "x2", "x3")[!sapply(d[c("x1", "x2", "x3")], function(x) all(is.na(x)))])
centred <- function(d) {
  z <- model.matrix(reformulate(c("1", terms_of(d))), d)[, -1, drop = FALSE]
  sweep(z, 2, colMeans(z))
}
lin_frame <- function(d) {
  z <- centred(d); colnames(z) <- paste0("z", seq_len(ncol(z)))
  list(frame = cbind(d, z), formula = reformulate(c("arm", colnames(z), paste0("arm:", colnames(z))), "y"))
}

# A second way to CR2 and its Satterthwaite df, in small matrices. Orthonormal columns first (X = Z T, Z'Z = I), then, with
# S_j = Z_j'Z_j, (I - Z_j Z_j')^(-1/2) Z_j = Z_j (I - S_j)^(-1/2). Programmed from Pustejovsky & Tipton 2018; a check in the
# cases, and the source of million, where clubSandwich would need 500 matrices of 2000 x 2000.
cr2_plain <- function(X, y, cluster) {
  decomposed <- qr(X); stopifnot(decomposed$rank == ncol(X), decomposed$pivot == seq_len(ncol(X)))
  Z <- qr.Q(decomposed); at <- which(colnames(X) == "arm")
  e <- qr.resid(decomposed, qr.resid(decomposed, y))
  direction <- backsolve(qr.R(decomposed), diag(ncol(X)))[at, ]
  own <- numeric(0); score <- numeric(0); A <- NULL
  for (rows_j in split(seq_len(nrow(X)), cluster)) {
    Zj <- Z[rows_j, , drop = FALSE]; S <- crossprod(Zj)
    inner <- eigen(diag(ncol(X)) - S, symmetric = TRUE)
    power <- ifelse(inner$values > 1e-12, 1 / sqrt(pmax(inner$values, 1e-12)), 0)
    v <- drop(inner$vectors %*% (power * crossprod(inner$vectors, direction)))
    score <- c(score, sum(v * crossprod(Zj, e[rows_j]))); own <- c(own, drop(t(v) %*% S %*% v)); A <- cbind(A, S %*% v)
  }
  P <- diag(own, length(own)) - crossprod(A)
  list(estimate = qr.coef(decomposed, y)[[at]], se = sqrt(sum(score^2)), df = sum(diag(P))^2 / sum(P^2))
}

cr2 <- function(name, prefix, fit, cluster, cr01 = FALSE) {
  V <- vcovCR(fit, cluster = cluster, type = "CR2")
  t <- coef_test(fit, V, test = "Satterthwaite", coefs = "arm")
  values <- list(estimate = t$beta, se = t$SE, df = t$df_Satt)
  # Too few clusters for the coefficient: the SE is nothing but rounding.
  if (!is.finite(values$df) || values$se < 1e-8 * sd(residuals(fit))) { message(name, " ", prefix, ": CR2 degenerate, skipped"); return(invisible()) }
  plain <- cr2_plain(model.matrix(fit), model.response(model.frame(fit)), cluster)
  if (abs(plain$se / values$se - 1) > 1e-9 || abs(plain$df / values$df - 1) > 1e-9) {
    message(sprintf("%s %s: CR2 ill-conditioned (se %.12g and %.12g, df %.12g and %.12g), skipped", name, prefix, values$se, plain$se, values$df, plain$df))
    return(invisible())
  }
  add_all(name, prefix, c(values, with(values, t_interval(estimate, se, df))))
  close_to(t$p_Satt, with(values, t_interval(estimate, se, df)$p))
  if (cr01) for (type in c("CR0", "CR1")) add(name, paste0("ancova_se_", tolower(type)), sqrt(vcovCR(fit, cluster = cluster, type = type)["arm", "arm"]))
}

ols <- function(name, prefix, fit, types = paste0("HC", 0:3)) {
  estimate <- coef(fit)[["arm"]]; df <- df.residual(fit)
  if (df < 1) return(invisible())
  add(name, paste0(prefix, "_estimate"), estimate)
  top <- max(hatvalues(fit))
  for (type in types) if (top < 1 - 1e-8 || type %in% c("HC0", "HC1"))
    add(name, paste0(prefix, "_se_", tolower(type)), sqrt(vcovHC(fit, type = type)["arm", "arm"]))
  if (top < 1 - 1e-8) add_all(name, prefix, t_interval(estimate, sqrt(vcovHC(fit, type = "HC2")["arm", "arm"]), df))
  add(name, paste0(prefix, "_df"), df)
}

blocked <- function(name, d) {
  n <- table(d$stratum, d$arm)
  d <- d[d$stratum %in% rownames(n)[n[, 1] > 0 & n[, 2] > 0], ]
  if (any(table(d$stratum, d$arm) < 2)) return(invisible())
  d$block <- factor(d$stratum)
  fit <- difference_in_means(y ~ arm, data = d, blocks = block)
  add_all(name, "blocked", list(estimate = fit$coefficients[["arm"]], se = fit$std.error[[1]], df = fit$df[[1]],
                                lower = fit$conf.low[[1]], upper = fit$conf.high[[1]], p = fit$p.value[[1]]))
}

# Standardization: no package at hand has it, so the formulas are programmed. Ye, Bannick, Yi & Shao 2023, and Bannick et al. for
# the term subtracted under stratified balanced draws.
standardize <- function(name, d) {
  fit <- glm(reformulate(c("arm", terms_of(d)), "y"), binomial, d, epsilon = 1e-14, maxit = 100)
  X <- model.matrix(fit)
  p <- fitted(fit)
  # Separated data have no finite fit.
  if (anyNA(coef(fit)) || min(p) < 1e-7 || max(p) > 1 - 1e-7) { message(name, ": logistic fit separated, skipped"); return(invisible()) }
  beta <- coef(fit)
  for (step in 1:5) { p <- plogis(drop(X %*% beta)); beta <- beta + drop(solve(crossprod(X * sqrt(p * (1 - p))), crossprod(X, d$y - p))) }
  stopifnot(max(abs(crossprod(X, d$y - plogis(drop(X %*% beta))))) < 1e-9 * nrow(d) * max(1, abs(X)))
  X1 <- X; X1[, "arm"] <- 1; X0 <- X; X0[, "arm"] <- 0
  mu1 <- plogis(drop(X1 %*% beta)); mu0 <- plogis(drop(X0 %*% beta))
  n <- nrow(d); one <- d$arm == 1; pi1 <- mean(one); pi0 <- 1 - pi1; y <- d$y
  V11 <- var((y - mu1)[one]) / pi1 + 2 * cov(y[one], mu1[one]) - var(mu1)
  V00 <- var((y - mu0)[!one]) / pi0 + 2 * cov(y[!one], mu0[!one]) - var(mu0)
  V10 <- cov(y[one], mu0[one]) + cov(y[!one], mu1[!one]) - cov(mu1, mu0)
  simple <- V11 + V00 - 2 * V10
  term <- 0
  for (z in unique(d$stratum)) {
    inz <- d$stratum == z
    R <- diag(c(if (any(inz & !one)) mean((y - mu0)[inz & !one]) / pi0 else 0, if (any(inz & one)) mean((y - mu1)[inz & one]) / pi1 else 0))
    omega <- diag(c(pi0, pi1)) - c(pi0, pi1) %o% c(pi0, pi1)
    term <- term + mean(inz) * (R %*% omega %*% R)
  }
  contrast <- c(-1, 1)
  corrected <- simple - drop(t(contrast) %*% term %*% contrast)
  add(name, "std_estimate", mean(mu1) - mean(mu0))
  if (simple > 0) add(name, "std_se_simple", sqrt(simple / n))
  if (corrected > 0) add(name, "std_se", sqrt(corrected / n))
}

complier <- function(name, d) {
  first <- lm(received ~ arm, d); dr <- coef(first)[["arm"]]; vr <- suppressWarnings(vcovHC(first, type = "HC2"))["arm", "arm"]
  if (abs(dr) < 1e-12) return(invisible())
  fit <- ivreg(y ~ received | arm, data = d); df <- nrow(d) - 2
  estimate <- coef(fit)[["received"]]; se <- sqrt(vcovHC(fit, type = "HC2")["received", "received"])
  add_all(name, "cace", list(estimate = estimate, se = se, lower = estimate - qt(0.975, df) * se, upper = estimate + qt(0.975, df) * se))
  # The other HC2 of instrumental variables: leverage of the projected regressors, as in estimatr (here the SE of
  # y - b received between arms over the first stage).
  add(name, "cace_se_projected", iv_robust(y ~ received | arm, data = d, se_type = "HC2")$std.error[["received"]])
  if (vr > 1e-20) add(name, "cace_first_stage_f", dr^2 / vr)
  # Anderson-Rubin: (dy - b dr)^2 <= t^2 (vy - 2 b c + b^2 vr), a quadratic in b; its roots are checked with the regression itself.
  t2 <- qt(0.975, df)^2
  v <- function(u, w) sum(sapply(0:1, function(a) cov(u[d$arm == a], w[d$arm == a]) / sum(d$arm == a)))
  dy <- coef(lm(y ~ arm, d))[["arm"]]
  a <- dr^2 - t2 * vr
  if (a <= 0) { message(name, ": Anderson-Rubin set not an interval"); return(invisible()) }
  h <- dy * dr - t2 * v(d$y, d$received); k <- dy^2 - t2 * v(d$y, d$y); root <- sqrt(h^2 - a * k)
  for (b in (h + c(-1, 1) * root) / a) {
    l <- lm(I(y - b * received) ~ arm, d)
    close_to(coef(l)[["arm"]]^2 / vcovHC(l, type = "HC2")["arm", "arm"], t2)
  }
  add(name, "cace_ar_lower", (h - root) / a); add(name, "cace_ar_upper", (h + root) / a)
}

balance <- function(name, d) {
  if (!length(terms_of(d))) return(invisible())
  s <- suppressWarnings(summary(lm(reformulate(terms_of(d), "arm"), d)))
  f <- s$fstatistic
  # An exactly balanced design gives an F that is only rounding.
  if (s$r.squared < 1e-12) { message(name, ": balance F is 0, skipped"); return(invisible()) }
  add_all(name, "balance", list(f = f[[1]], df1 = f[[2]], df2 = f[[3]], p = pf(f[[1]], f[[2]], f[[3]], lower.tail = FALSE)))
}

heterogeneity <- function(name, d) {
  n <- table(d$stratum, d$arm)
  d <- d[d$stratum %in% rownames(n)[n[, 1] > 1 & n[, 2] > 1], ]
  parts <- split(d, d$stratum)
  if (length(parts) < 2) return(invisible())
  effect <- sapply(parts, function(p) mean(p$y[p$arm == 1]) - mean(p$y[p$arm == 0]))
  variance <- sapply(parts, function(p) var(p$y[p$arm == 1]) / sum(p$arm == 1) + var(p$y[p$arm == 0]) / sum(p$arm == 0))
  if (any(variance <= 1e-20)) return(invisible())
  fit <- rma(yi = effect, vi = variance, method = "FE")
  add(name, "interaction_q", fit$QE); add(name, "interaction_p", fit$QEp)
}

analyse <- function(c) {
  name <- c$name; d <- c$data
  record(c)
  # Nothing here depends on these constants, and without them the values are exact to more digits.
  if (name == "offset") { d$y <- d$y - 1e6; d$x1 <- d$x1 - 1e4 }
  blocked(name, d)
  ancova <- lm(reformulate(c("arm", terms_of(d)), "y"), d)
  stopifnot(!anyNA(coef(ancova)))
  ols(name, "ancova", ancova)
  close_to(sqrt(vcovHC(ancova, type = "HC1")["arm", "arm"]), lm_robust(formula(ancova), d, se_type = "HC1")$std.error[["arm"]])
  lin <- NULL
  if (length(terms_of(d))) {
    l <- lin_frame(d); lin <- lm(l$formula, l$frame)
    if (anyNA(coef(lin)) || df.residual(lin) < 1) { message(name, ": lin not estimable, skipped"); lin <- NULL }
  }
  if (!is.null(lin)) {
    ols(name, "lin", lin)
    if (max(hatvalues(lin)) < 1 - 1e-8) {
      other <- lm_lin(y ~ arm, covariates = reformulate(terms_of(d)), data = d, se_type = "HC2")
      close_to(coef(lin)[["arm"]], other$coefficients[["arm"]])
      close_to(sqrt(vcovHC(lin, type = "HC2")["arm", "arm"]), other$std.error[["arm"]])
    }
  }
  if (!all(is.na(d$cluster))) {
    cr2(name, "dim_cr2", lm(y ~ arm, d), d$cluster)
    # Centred covariates leave the arm's CR2 as it is, and are better conditioned.
    apart <- if (length(terms_of(d))) { z <- centred(d); lm(y ~ arm + z, d) } else ancova
    cr2(name, "ancova_cr2", apart, d$cluster, cr01 = TRUE)
    if (!is.null(lin)) cr2(name, "lin_cr2", lin, d$cluster)
  }
  if (all(d$y %in% 0:1)) standardize(name, d)
  if (!all(is.na(d$received))) complier(name, d)
  balance(name, d)
  heterogeneity(name, d)
}
for (c in cases) analyse(c)

# Bounds under missing outcomes; programmed from Lee 2009 and Manski 1990.
bounds <- function(c) {
  name <- c$name; d <- c$data; record(c)
  share <- sapply(0:1, function(a) mean(!is.na(d$y[d$arm == a])))
  high <- as.integer(share[2] > share[1]); q <- (max(share) - min(share)) / max(share)
  y <- sort(d$y[d$arm == high & !is.na(d$y)]); other <- mean(d$y[d$arm != high], na.rm = TRUE)
  # Where the quantile falls exactly on a value, rounding would decide which values are dropped.
  stopifnot(q > 0, abs((length(y) - 1) * q - round((length(y) - 1) * q)) > 1e-6)
  low7 <- mean(y[y <= quantile(y, 1 - q, type = 7)]); up7 <- mean(y[y >= quantile(y, q, type = 7)])
  fractional <- function(y) { left <- (1 - q) * length(y); w <- pmin(1, pmax(0, left - (seq_along(y) - 1))); sum(w * y) / left }
  lowf <- fractional(y); upf <- fractional(rev(y))
  effect <- function(lower, upper) if (high == 1) c(lower - other, upper - other) else c(other - upper, other - lower)
  seven <- effect(low7, up7); exact <- effect(lowf, upf)
  add(name, "lee7_lower", seven[1]); add(name, "lee7_upper", seven[2])
  add(name, "leef_lower", exact[1]); add(name, "leef_upper", exact[2])
  least <- min(d$y, na.rm = TRUE); most <- max(d$y, na.rm = TRUE)
  filled <- function(a, with) mean(ifelse(is.na(d$y), with, d$y)[d$arm == a])
  add(name, "manski_lower", filled(1, least) - filled(0, most)); add(name, "manski_upper", filled(1, most) - filled(0, least))
  message(sprintf("%s: observed shares %.4f (arm 0), %.4f (arm 1)", name, share[1], share[2]))
}
bounds(case("lee_star", s$GPA_year2, s$sfsp, third, x1 = s$gpa0))
bounds(case("lee_pbc", pb$albumin_year, pb$trt == 1, x1 = pb$albumin))

# Rubin's rules.
rubin <- function(name, q, u, dfcom) {
  m <- length(q); pooled <- mice::pool.scalar(q, u, n = dfcom + 1, k = 1)
  close_to(pooled$df, mice:::barnard.rubin(m, var(q), pooled$t, dfcom))
  for (j in seq_len(m)) { add(name, paste0("rubin_q", j), q[j]); add(name, paste0("rubin_u", j), u[j]) }
  add(name, "rubin_dfcom", dfcom)
  add_all(name, "rubin", list(estimate = pooled$qbar, se = sqrt(pooled$t), df = pooled$df,
    lower = pooled$qbar - qt(0.975, pooled$df) * sqrt(pooled$t), upper = pooled$qbar + qt(0.975, pooled$df) * sqrt(pooled$t)))
}
imputed <- mice::mice(mice::nhanes, m = 5, seed = 1, printFlag = FALSE)
fits <- lapply(1:5, function(j) lm(chl ~ age + bmi, mice::complete(imputed, j)))
rubin("rubin_1", sapply(fits, function(f) coef(f)[["bmi"]]), sapply(fits, function(f) vcov(f)["bmi", "bmi"]), 22)
rubin("rubin_2", c(-2.125, -2.0625, -2.25, -2.1875, -2.09375), c(0.5, 0.4375, 0.53125, 0.46875, 0.5625), 1998)

# A million participants, made the same way in the Rust test.
i <- 0:999999
large <- case("million", 0, i %% 2, i %% 5, (i %% 1000) %/% 2, x1 = ((i * 7919) %% 10007) / 100, x2 = ((i * 104729) %% 9973) / 1000)$data
large$y <- ((i * 31) %% 101) / 10 + 0.3 * large$arm + 0.02 * large$x1 + 0.1 * large$x2 * large$arm
blocked("million", large)
ancova <- lm(reformulate(c("arm", terms_of(large)), "y"), large)
ols("million", "ancova", ancova, "HC2")
X <- model.matrix(ancova); rm(ancova)
plain <- cr2_plain(X, large$y, large$cluster); rm(X)
add_all("million", "ancova_cr2", c(plain, with(plain, t_interval(estimate, se, df))))
l <- lin_frame(large); lin <- lm(l$formula, l$frame)
ols("million", "lin", lin, "HC2")

writeLines(c("case,y,arm,stratum,cluster,received,x1,x2,x3", unlist(data)), file.path(here, "regression_data.csv"))
packages <- c("sandwich", "clubSandwich", "AER", "estimatr", "metafor", "mice", "survival", "MASS")
writeLines(c(sprintf("# R %s, %s", getRversion(), paste(packages, sapply(packages, function(p) as.character(packageVersion(p))), collapse = ", ")),
             "case,quantity,value", unlist(rows)), file.path(here, "regression_expected.csv"))
