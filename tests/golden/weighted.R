# Golden values of the weighted estimators: difference in means, ancova, Lin's interacted ancova and Cox models under weights of
# the participants, with robust standard errors. Writes weighted_data.csv and weighted_expected.csv beside itself.
# Run from anywhere: Rscript tests/golden/weighted.R
# Made with R 4.2.2, survival 3.5.3, sandwich 3.0.2, estimatr 1.0.0, survey 4.1.1, MASS 7.3.58.2, the versions that are written
# into the expected file.
suppressMessages({library(survival); library(sandwich); library(estimatr); library(survey)})
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
# A fit that warns (an infinite estimate, no convergence) or fails gives nothing; the reason is printed.
quiet <- function(name, what, expr) tryCatch(expr,
  warning = function(w) { cat(name, what, "left out:", conditionMessage(w), "\n"); NULL },
  error = function(e) { cat(name, what, "left out:", conditionMessage(e), "\n"); NULL })
# A second way to the same value; a difference stops the script.
largest <- 0
same <- function(name, what, a, b) {
  gap <- abs(a - b) / ((abs(a) + abs(b)) / 2)
  if (!isTRUE(gap <= 1e-9)) stop(sprintf("%s %s: %.17g and %.17g", name, what, a, b))
  largest <<- max(largest, gap)
}

case <- function(name, weight, arm, y = NA, stratum = "all", x1 = NA, x2 = NA, time = NA, event = NA)
  list(name = name, data = data.frame(y = as.numeric(y), arm = as.integer(arm), stratum = as.character(stratum),
    weight = as.numeric(weight), x1 = as.numeric(x1), x2 = as.numeric(x2), time = as.numeric(time), event = as.integer(event)))

# One over the probability of an observed outcome, from a logistic model of arm and covariates; the weights of those observed.
inverse <- function(formula, d) {
  f <- glm(formula, binomial, d)
  1 / fitted(f)[f$y == 1]
}
# Star: the fellowship arm of a Canadian trial at a university; the grade of the second year is missing for some.
s <- alo_star_men
s$third <- cut(s$gpa0, quantile(s$gpa0, 0:3 / 3), c("low", "mid", "high"), include.lowest = TRUE)
s$seen <- !is.na(s$GPA_year2)
so <- s[s$seen, ]; so$weight <- inverse(seen ~ sfsp + gpa0, s)
an <- subset(MASS::anorexia, Treat != "FT")
# Lung: loss of weight is missing for some.
l <- subset(lung, !is.na(ph.ecog) & !is.na(ph.karno))
l$seen <- !is.na(l$wt.loss)
lo <- l[l$seen, ]; lo$weight <- inverse(seen ~ sex + age + ph.karno + factor(ph.ecog > 0), l)
k <- subset(colon, etype == 2 & rx != "Lev" & !is.na(nodes))
v <- veteran
ve <- function(name, weight) case(name, weight, v$trt == 2, log(v$time), v$celltype, v$karno, v$age, v$time, v$status)

i <- 1:60; h <- 1:20
# The first participant of the arm weighs as much as all the others of the arm together.
heavy <- 1 + (h * 7) %% 5 / 4; of_arm <- which(h %% 2 == 1); heavy[of_arm[1]] <- sum(heavy[of_arm[-1]])
cases <- list(
  case("star", so$weight, so$sfsp, so$GPA_year2, so$third, so$gpa0),
  # Weights that look like those of a sample: made of the weight before treatment.
  case("anorexia", 0.5 + (an$Prewt - 70) / 10, an$Treat == "CBT", an$Postwt, x1 = an$Prewt),
  case("lung", lo$weight, lo$sex == 2, lo$wt.loss, ifelse(lo$ph.ecog > 0, "limited", "well"), lo$age, lo$ph.karno,
       lo$time, lo$status == 2),
  case("colon", (1 + k$nodes / 4) * ifelse(k$sex == 1, 0.8, 1.3), k$rx == "Lev+5FU", pmin(k$time, 1826) / 365.25,
       paste0("extent", k$extent), k$age, k$nodes, k$time, k$status),
  ve("veteran", exp((v$age - 58) / 20) * c(squamous = 1, smallcell = 0.6, adeno = 2.1, large = 1.4)[as.character(v$celltype)]),
  # All weights the same: the unweighted values (checked below).
  ve("ones", 1), ve("constant", 3.7),
  case("one_heavy", heavy, h %% 2, (h * 31) %% 17 / 4 + h %% 2, c("a", "b")[1 + (h %% 5 < 2)], (h * 13) %% 7 / 2,
       time = (h * h * 3) %% 29 + 1, event = (h * 3) %% 7 != 0),
  # Weights from 1e-3 to 1e3, spread evenly in the logarithm.
  case("heavy_tail", 10^(-3 + 6 * ((i * 37) %% 60) / 59), i %% 2, (i * 29) %% 19 / 3 + 0.5 * (i %% 2),
       c("a", "b", "c")[1 + i %% 3], (i * 17) %% 23 / 5, time = (i * 41) %% 67 + 0.5, event = i %% 3 != 1),
  case("four", c(1, 2, 0.5, 3), c(0, 0, 1, 1), c(3, 5, 4, 9), x1 = c(1, 2, 2, 4), time = c(2, 6, 3, 4), event = c(1, 0, 1, 1)),
  case("large_scale", 1e8 * (1 + (i * 23) %% 31 / 8), i %% 2, (i * 29) %% 19 / 3, c("a", "b")[1 + (i > 25)], (i * 17) %% 23 / 5,
       time = (i * 43) %% 59 + 1, event = i %% 5 != 0),
  # Three times, each shared by events and censored participants, by both arms and by unequal weights.
  case("ties", c(0.25, 1, 4, 2.5, 0.5, 3, 1.5)[1 + (1:42) %% 7], (1:42 * 3) %% 5 < 2, (1:42 * 5) %% 4,
       c("a", "b")[1 + (1:42) %% 2], (1:42) %% 3, time = rep(1:3, each = 14), event = (1:42 * 5) %% 8 < 5),
  # No finite hazard ratio.
  case("one_event", c(1, 2, 1.5, 0.5, 3, 1), c(0, 0, 0, 1, 1, 1), c(2, 4, 3, 3, 6, 5), time = c(5, 3, 5, 5, 5, 5),
       event = c(0, 1, 0, 0, 0, 0)),
  # Stratum c has participants of one arm only, so the interacted model is singular.
  case("stratum_without_arm", 1 + (h * 3) %% 7, c(h[1:16] %% 2, 0, 0, 0, 0), (h * 31) %% 17 / 4,
       rep(c("a", "b", "c"), c(8, 8, 4)), (h * 7) %% 11, time = (h * 7) %% 19 + 1, event = h %% 6 != 0),
  case("strata", 0.5 + (i * 19) %% 13, (i * 7) %% 5 < 2, (i * 29) %% 19 / 3 + i %% 4, paste0("s", i %% 4),
       time = (i * 31) %% 37 + 1, event = i %% 7 != 0),
  # The second covariate is twice the first and one: both adjusted models are singular.
  case("collinear", 1 + (h * 3) %% 7, h %% 2, (h * 31) %% 17 / 4, x1 = (h * 13) %% 7, x2 = 1 + 2 * ((h * 13) %% 7))
)

covariates <- function(d)
  c(if (length(unique(d$stratum)) > 1) "factor(stratum)", c("x1", "x2")[!sapply(d[c("x1", "x2")], anyNA)])

# Singular fits and those without a residual degree of freedom give nothing. At a leverage of 1 there is no HC2 or HC3.
least_squares <- function(name, prefix, f) {
  if (anyNA(coef(f)) || df.residual(f) < 1) { cat(name, prefix, "left out: singular or no df\n"); return(NULL) }
  add(name, paste0(prefix, "_estimate"), coef(f)[["arm"]])
  for (type in paste0("HC", 0:3)) if (type %in% c("HC0", "HC1") || max(hatvalues(f)) < 1 - 1e-8)
    add(name, paste0(prefix, "_se_", tolower(type)), sqrt(vcovHC(f, type = type)["arm", "arm"]))
  add(name, paste0(prefix, "_df"), df.residual(f))
  f
}
robust <- function(f, type = "HC2") sqrt(vcovHC(f, type = type)["arm", "arm"])
check <- function(name, what, f, other) {
  same(name, paste(what, "estimate"), coef(f)[["arm"]], other$coefficients[["arm"]])
  same(name, paste(what, "HC2"), robust(f), other$std.error[["arm"]])
}

# coxph.control asks that toler.chol be below eps.
tight <- coxph.control(eps = 1e-14, iter.max = 50, toler.chol = 1e-15)
# The data are put into the call, so that later functions find them.
cox <- function(d, ties, robust = TRUE) do.call(coxph, list(Surv(time, event) ~ arm, data = d, weights = d$weight,
                                                            robust = robust, ties = ties, control = tight))
# A second way to the robust error, from weighted score residuals (Lin and Wei 1989; Therneau and Grambsch 2000).
# At an event time with d events of mean weight m, step k = 0..d-1 has the risk set less k / d of the events (Efron), or k = 0
# throughout (Breslow), and the hazard m / s0. A check in the cases, and the source of million, where the time that coxph takes
# for Efron's residuals, growing with the square of n, would be a quarter of an hour.
robust_error <- function(d, ties, beta) {
  x <- d$arm; r <- exp(beta * x); times <- sort(unique(d$time[d$event == 1])); at <- findInterval(d$time, times)
  # Sums over those in the place of an event time (from it to the next), then over those at risk; place 0 is before the first.
  by <- function(u) { s <- numeric(length(times) + 1); g <- rowsum(u, at); s[as.integer(rownames(g)) + 1] <- g; s[-1] }
  risk <- function(u) rev(cumsum(rev(by(u))))
  s0 <- risk(d$weight * r); s1 <- risk(d$weight * r * x)
  e0 <- by(d$event * d$weight * r); e1 <- by(d$event * d$weight * r * x); events <- by(d$event)
  m <- by(d$event * d$weight) / events
  sums <- vapply(seq_along(times), function(t) {
    f <- if (ties == "efron") seq(0, events[t] - 1) / events[t] else rep(0, events[t])
    a <- s0[t] - f * e0[t]; mean <- (s1[t] - f * e1[t]) / a; h <- m[t] / a
    c(sum(h), sum(h * mean), sum(f * h), sum(f * h * mean), sum(mean) / events[t], m[t] * sum(mean - mean^2))
  }, numeric(6))
  total <- function(row) c(0, cumsum(sums[row, ]))[at + 1]
  own <- function(row) d$event * c(0, sums[row, ])[at + 1]
  residual <- d$event * x - own(5) - r * (x * total(1) - total(2)) + r * (x * own(3) - own(4))
  sqrt(sum((d$weight * residual)^2)) / sum(sums[6, ])
}
hazards <- function(name, d) for (ties in c("efron", "breslow")) {
  large <- name == "million"
  f <- quiet(name, paste0("cox_", ties), cox(d, ties, !large))
  if (is.null(f)) next
  error <- robust_error(d, ties, coef(f))
  if (!large) {
    same(name, paste("cox", ties, "error"), error, sqrt(f$var[1, 1])); error <- sqrt(f$var[1, 1])
    # The scale of the weights drops out of the estimate and of the robust error.
    scaled <- d; scaled$weight <- d$weight / mean(d$weight); g <- cox(scaled, ties)
    same(name, paste("cox", ties, "scaled"), coef(f), coef(g))
    same(name, paste("cox", ties, "scaled se"), sqrt(f$var[1, 1]), sqrt(g$var[1, 1]))
  }
  add(name, paste0("cox_", ties, "_estimate"), coef(f)); add(name, paste0("cox_", ties, "_robust_se"), error)
}

shares <- function(name, d) for (a in 1:0) {
  w <- d$weight[d$arm == a]; of <- c("reference", "arm")[a + 1]
  add(name, paste0("effective_n_", of), sum(w)^2 / sum(w^2)); add(name, paste0("largest_share_", of), max(w) / sum(w))
}

# The covariates and dummies about their weighted means over both arms, then crossed with the arm. lm_lin of estimatr 1.0.0
# centres so too: its source takes weighted.mean(column, weights) over all rows where weights are given (the check is below).
interacted <- function(d) {
  z <- model.matrix(reformulate(covariates(d)), d)[, -1, drop = FALSE]
  z <- sweep(z, 2, colSums(z * d$weight) / sum(d$weight)); colnames(z) <- paste0("z", seq_len(ncol(z)))
  lm(reformulate(c("arm", colnames(z), paste0("arm:", colnames(z))), "y"), cbind(d, z), weights = weight)
}

analyse <- function(name, d) {
  terms <- covariates(d)
  if (!anyNA(d$y)) {
    f <- least_squares(name, "diff", lm(y ~ arm, d, weights = weight))
    check(name, "diff", f, lm_robust(y ~ arm, d, weights = weight, se_type = "HC2"))
    # The error of a sample survey (with replacement) is HC0 with n / (n - 1).
    design <- svydesign(ids = ~1, weights = ~weight, data = d)
    same(name, "svyglm", robust(f, "HC0")^2 * nrow(d) / (nrow(d) - 1), vcov(svyglm(y ~ arm, design))["arm", "arm"])
    if (length(terms)) {
      ancova <- reformulate(c("arm", terms), "y")
      f <- least_squares(name, "ancova", lm(ancova, d, weights = weight))
      if (!is.null(f)) check(name, "ancova", f, lm_robust(ancova, d, weights = weight, se_type = "HC2"))
      f <- least_squares(name, "lin", interacted(d))
      if (!is.null(f))
        check(name, "lin", f, lm_lin(y ~ arm, covariates = reformulate(terms), data = d, weights = weight, se_type = "HC2"))
    }
  }
  if (!anyNA(d$time)) hazards(name, d)
  shares(name, d)
}

for (c in cases) {
  d <- c$data
  data[[length(data) + 1]] <- paste(c$name, text(d$y), d$arm, d$stratum, text(d$weight), text(d$x1), text(d$x2), text(d$time),
                                    text(d$event), sep = ",")
  analyse(c$name, d)
}
# Equal weights give what no weights give.
plain <- ve("plain", 1)$data
value <- function(name, quantity) {
  start <- paste0(name, ",", quantity, ","); found <- Filter(function(r) startsWith(r, start), rows)
  as.numeric(substring(found[[1]], nchar(start) + 1))
}
for (name in c("ones", "constant")) {
  f <- list(diff = lm(y ~ arm, plain), ancova = lm(y ~ arm + factor(stratum) + x1 + x2, plain))
  for (prefix in names(f)) for (type in paste0("hc", 0:3))
    same(name, paste(prefix, type), value(name, paste0(prefix, "_se_", type)), robust(f[[prefix]], toupper(type)))
  other <- lm_lin(y ~ arm, ~ factor(stratum) + x1 + x2, plain, se_type = "HC2")
  same(name, "lin", value(name, "lin_estimate"), other$coefficients[["arm"]])
  same(name, "lin se", value(name, "lin_se_hc2"), other$std.error[["arm"]])
  for (ties in c("efron", "breslow")) {
    g <- coxph(Surv(time, event) ~ arm, plain, ties = ties, robust = TRUE, control = tight)
    same(name, "cox", value(name, paste0("cox_", ties, "_estimate")), coef(g))
    same(name, "cox se", value(name, paste0("cox_", ties, "_robust_se")), sqrt(g$var[1, 1]))
  }
}

# A million participants, made the same way in the Rust test and not in the data file. For i = 0..999999, % the remainder:
#   arm = i % 2, stratum = i % 5, x1 = (i * 104729 % 9973) / 1000, no x2, weight = 1 + (i * 7919 % 1009) / 100,
#   y = (i * 31 % 101) / 10 + 0.3 arm + 0.2 x1 + 0.1 x1 arm,
#   time = (i * 7919 % (521 + 20 arm)) / 7 + 1 / 7, event = i * 31 % 10 < 6.
i <- 0:999999
large <- case("million", 1 + ((i * 7919) %% 1009) / 100, i %% 2, 0, i %% 5, x1 = ((i * 104729) %% 9973) / 1000,
              time = ((i * 7919) %% (521 + 20 * (i %% 2))) / 7 + 1 / 7, event = (i * 31) %% 10 < 6)$data
large$y <- ((i * 31) %% 101) / 10 + 0.3 * large$arm + 0.2 * large$x1 + 0.1 * large$x1 * large$arm
analyse("million", large)

writeLines(c("case,y,arm,stratum,weight,x1,x2,time,event", unlist(data)), file.path(here, "weighted_data.csv"))
packages <- c("survival", "sandwich", "estimatr", "survey", "MASS")
versions <- paste(packages, sapply(packages, function(p) as.character(packageVersion(p))), collapse = ", ")
writeLines(c(sprintf("# R %s, %s", getRversion(), versions), "case,quantity,value", unlist(rows)),
           file.path(here, "weighted_expected.csv"))
cat(sprintf("all cross-checks agree; largest relative difference %.2g\n", largest))
