/// The standard normal quantile and the logarithm that it needs, in IEEE double operations alone
/// (`+ - * /` and `sqrt`), so that both have the same bits on every machine; a C library's `log`
/// has not.
package enum NormalQuantile {
  /// The `z` below which a share of `0.5 + offset` of a standard normal distribution lies.
  ///
  /// Taking the offset from one half keeps both tails equally exact. Relative error about 1e-15.
  /// Wichura: *Algorithm AS 241: The Percentage Points of the Normal Distribution* (1988), PPND16.
  ///
  /// - Precondition: `-0.5 < offset < 0.5`.
  package static func value(offset q: Double) -> Double {
    if abs(q) <= 0.425 {
      return q * central(0.180625 - q * q)
    }
    let r = (-logarithm(0.5 - abs(q))).squareRoot()
    let z = r <= 5 ? tail(r - 1.6) : farTail(r - 5)
    return q < 0 ? -z : z
  }

  /// The natural logarithm of a finite, normal `x > 0`; relative error below 4e-16 for x <= 0.5.
  ///
  /// `x = m * 2^e` with m between the square roots of 1/2 and 2, and
  /// `ln m = 2*(s + s^3/3 + s^5/5 + ...)` for `s = (m - 1)/(m + 1)`, `s^2 < 0.0295`: the terms left
  /// out are below 2^-60 of the sum.
  package static func logarithm(_ x: Double) -> Double {
    var m = x.significand
    var e = Double(x.exponent)
    if m > 1.4142135623730951 {
      m *= 0.5
      e += 1
    }
    let s = (m - 1) / (m + 1)
    let s2 = s * s
    var series = 0.0
    var odd = 23.0
    while odd >= 3 {
      series = (series + 1 / odd) * s2
      odd -= 2
    }
    // ln 2 in two parts, the first with so few bits that its product with e is exact.
    let high = 6.93147180369123816490e-1
    let low = 1.90821492927058770002e-10
    return e * high + ((2 * s * series + e * low) + 2 * s)
  }

  /// The quotient for `abs(q) <= 0.425`, of `r = 0.425^2 - q^2`.
  private static func central(_ r: Double) -> Double {
    var p = 2.5090809287301226727e3
    p = p * r + 3.3430575583588128105e4
    p = p * r + 6.7265770927008700853e4
    p = p * r + 4.5921953931549871457e4
    p = p * r + 1.3731693765509461125e4
    p = p * r + 1.9715909503065514427e3
    p = p * r + 1.3314166789178437745e2
    p = p * r + 3.3871328727963666080
    var q = 5.2264952788528545610e3
    q = q * r + 2.8729085735721942674e4
    q = q * r + 3.9307895800092710610e4
    q = q * r + 2.1213794301586595867e4
    q = q * r + 5.3941960214247511077e3
    q = q * r + 6.8718700749205790830e2
    q = q * r + 4.2313330701600911252e1
    q = q * r + 1
    return p / q
  }

  /// For tails down to `exp(-25)`, of `r = sqrt(-ln p) - 1.6`.
  private static func tail(_ r: Double) -> Double {
    var p = 7.74545014278341407640e-4
    p = p * r + 2.27238449892691845833e-2
    p = p * r + 2.41780725177450611770e-1
    p = p * r + 1.27045825245236838258
    p = p * r + 3.64784832476320460504
    p = p * r + 5.76949722146069140550
    p = p * r + 4.63033784615654529590
    p = p * r + 1.42343711074968357734
    var q = 1.05075007164441684324e-9
    q = q * r + 5.47593808499534494600e-4
    q = q * r + 1.51986665636164571966e-2
    q = q * r + 1.48103976427480074590e-1
    q = q * r + 6.89767334985100004550e-1
    q = q * r + 1.67638483018380384940
    q = q * r + 2.05319162663775882187
    q = q * r + 1
    return p / q
  }

  /// For tails beyond, of `r = sqrt(-ln p) - 5`.
  private static func farTail(_ r: Double) -> Double {
    var p = 2.01033439929228813265e-7
    p = p * r + 2.71155556874348757815e-5
    p = p * r + 1.24266094738807843860e-3
    p = p * r + 2.65321895265761230930e-2
    p = p * r + 2.96560571828504891230e-1
    p = p * r + 1.78482653991729133580
    p = p * r + 5.46378491116411436990
    p = p * r + 6.65790464350110377720
    var q = 2.04426310338993978564e-15
    q = q * r + 1.42151175831644588870e-7
    q = q * r + 1.84631831751005468180e-5
    q = q * r + 7.86869131145613259100e-4
    q = q * r + 1.48753612908506148525e-2
    q = q * r + 1.36929880922735805310e-1
    q = q * r + 5.99832206555887937690e-1
    q = q * r + 1
    return p / q
  }
}
