# The promising zone (Mehta and Pocock 2011) and the weighted statistic (Cui, Hung and Wang 1999) by their definitions.
# Writes reestimation_expected.csv beside itself. Run from anywhere: Rscript tests/golden/reestimation.R
# Made with R 4.2.2; only its base is used. Conditional power is integrated from the second stage's density and the factor
# is found by uniroot, so that no closed form of the library is repeated here.
args <- commandArgs(FALSE)
here <- dirname(normalizePath(sub("--file=", "", args[grep("--file=", args)])))

weighted <- function(t, z1, z2) sqrt(t) * z1 + sqrt(1 - t) * z2
# The second statistic has mean trend * sqrt(its information), whatever its length; the weights stay as planned.
power <- function(z, t, upper, factor) {
  mean <- z / sqrt(t) * sqrt(factor * (1 - t))
  from <- uniroot(function(z2) weighted(t, z, z2) - upper, c(-60, 60), tol = 1e-14)$root
  # Around the mean, so that integrate finds the mass.
  a <- max(from, mean - 38); if (a > mean + 38) return(pnorm(from - mean, lower.tail = FALSE))
  integrate(function(x) dnorm(x - mean), a, max(a, mean + 38), rel.tol = 1e-13, abs.tol = 0, subdivisions = 10000)$value
}
zone <- function(now, least, target) if (now < least) 1 else if (now >= target) 3 else 2
cases <- expand.grid(z = c(-1, 0.4, 1.2, 1.5, 1.9, 2.6), t = c(0.3, 0.5, 0.8), upper = c(1.96, 2.02))
cases$least <- rep(c(0.2, 0.36), length.out = nrow(cases)); cases$target <- rep(c(0.8, 0.9, 0.9), length.out = nrow(cases))
cases$most <- rep(c(1.5, 2, 4, 10), length.out = nrow(cases))
rows <- sapply(seq_len(nrow(cases)), function(i) with(cases[i, ], {
  now <- power(z, t, upper, 1); in_zone <- zone(now, least, target); factor <- 1
  if (in_zone == 2) factor <- if (power(z, t, upper, most) <= target) most else
    uniroot(function(f) power(z, t, upper, f) - target, c(1, most), tol = 1e-13)$root
  paste(c(sprintf("%.17g", c(z, t, upper, least, target, most)), in_zone,
          sprintf("%.17g", c(now, factor, power(z, t, upper, factor)))), collapse = ",")
}))
writeLines(c(sprintf("# R %s", getRversion()),
  "z,fraction,upper,least,target,most,zone,conditional_power,factor,afterwards", rows), file.path(here, "reestimation_expected.csv"))
