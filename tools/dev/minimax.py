#!/usr/bin/env python3
"""Prints the coefficients of passes/Vector/ElementaryFunctions.cpp: polynomials whose largest error is smallest.

A fit by least squares is weighted again by its own error until the error is level (Lawson's algorithm). Coefficients
become f32 one by one, from the constant term on, and those behind make up for the rounding. Needs mpmath.
"""
import math

import mpmath as mp

mp.mp.prec = 120
POINTS = 400


def nodes(low, high):
    return [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (i + mp.mpf("0.5")) / POINTS) for i in range(POINTS)]


def round_to(value, bits):
    """`value` with `bits` bits: 24 for f32, 53 for f64."""
    mantissa, exponent = mp.frexp(value)
    return mp.ldexp(mp.nint(mp.ldexp(mantissa, bits)), exponent - bits)


def least_squares(rows, values, weights):
    n = len(rows[0])
    normal, right = mp.zeros(n), mp.zeros(n, 1)
    for row, value, weight in zip(rows, values, weights):
        for i in range(n):
            right[i] += weight * row[i] * value
            for j in range(n):
                normal[i, j] += weight * row[i] * row[j]
    return list(mp.lu_solve(normal, right))


def lawson(rows, values, rounds=40):
    """The x that makes the largest |rows·x - values| small."""
    weights = [mp.mpf(1)] * len(rows)
    best = (mp.inf, None)
    for _ in range(rounds):
        x = least_squares(rows, values, weights)
        errors = [abs(mp.fdot(row, x) - value) for row, value in zip(rows, values)]
        worst = max(errors)
        if worst < best[0]:
            best = (worst, x)
        weights = [w * (e / worst + mp.mpf("1e-9")) for w, e in zip(weights, errors)]
        total = sum(weights)
        weights = [w / total for w in weights]
    return best


def polynomial(name, function, terms, low, high, weight, variable=lambda x: x, bits=24):
    """f(x) ≈ sum c_i·variable(x)^i, the error times weight(x) smallest."""
    points = [x for x in nodes(mp.mpf(low), mp.mpf(high)) if x != 0]
    scale = [weight(x) for x in points]
    rest = [function(x) for x in points]
    powers = [[variable(x)**i for i in range(terms)] for x in points]
    coefficients = []
    for first in range(terms):
        rows = [[w * p for p in row[first:]] for row, w in zip(powers, scale)]
        worst, x = lawson(rows, [w * r for r, w in zip(rest, scale)])
        rounded = round_to(x[0], bits)
        coefficients.append(rounded)
        rest = [r - rounded * row[first] for r, row in zip(rest, powers)]
    worst = max(abs(w * r) for r, w in zip(rest, scale))
    show(name, coefficients, worst, bits)


def show(name, coefficients, worst, bits):
    digits = 9 if bits == 24 else 17
    print(f"// {name}: 2^{math.log2(float(worst)):.1f}")
    print("{" + ", ".join(mp.nstr(c, digits) for c in coefficients) + "}", flush=True)


def square(x):
    return x * x


if __name__ == "__main__":
    half_ln2 = float(mp.log(2) / 2) * 1.01
    polynomial("exp: (e^r - 1 - r) / r^2", lambda r: (mp.expm1(r) - r) / r**2, 5, -half_ln2, half_ln2, lambda r: r)
    polynomial("log: (log(1 + f) - f + f^2 / 2) / f^3", lambda f: (mp.log1p(f) - f + f * f / 2) / f**3, 8,
               float(mp.sqrt(0.5) - 1), float(mp.sqrt(2) - 1), lambda f: f**3 / mp.log1p(f))
    polynomial("sin: (sin r - r) / r^3", lambda r: (mp.sin(r) - r) / r**3, 3, 1e-3, float(mp.pi / 4) * 1.01,
               lambda r: r**3 / mp.sin(r), square)
    polynomial("cos: (cos r - 1 + r^2 / 2) / r^4", lambda r: (mp.cos(r) - 1 + r * r / 2) / r**4, 3, 1e-3, float(mp.pi / 4) * 1.01,
               lambda r: r**4 / mp.cos(r), square)
    polynomial("asin: (asin x - x) / x^3", lambda x: (mp.asin(x) - x) / x**3, 5, 1e-3, 0.5, lambda x: x**3 / mp.asin(x), square)
    polynomial("atan: (atan x - x) / x^3", lambda x: (mp.atan(x) - x) / x**3, 9, 1e-3, 1, lambda x: x**3 / mp.atan(x), square)
    polynomial("erf: erf x / x - 1", lambda x: mp.erf(x) / x - 1, 6, 1e-3, 1, lambda x: x / mp.erf(x), square)
    polynomial("erf: erfc(x)^(-1/8)", lambda x: mp.erfc(x)**(-mp.mpf(1) / 8), 8, 0.95, 3.93,
               lambda x: 8 * mp.erfc(x)**(mp.mpf(9) / 8) / mp.erf(x))
    polynomial("pow: (log2((1 + s) / (1 - s)) * ln2 / 2 - s) / s^3", lambda s: (mp.atanh(s) - s) / s**3, 6, 1e-3, float(3 - 2 * mp.sqrt(2)) * 1.01,
               lambda s: s**3 / mp.atanh(s), square, bits=53)
    polynomial("pow: 2^f", lambda f: mp.power(2, f), 8, -0.501, 0.501, lambda f: 1, bits=53)
