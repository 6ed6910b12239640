"""Line plots as SVG, by hand: nothing to install."""

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 50
COLOURS = ["#1b6ca8", "#c1440e", "#6a8d3a", "#7b4fa3", "#555555"]


def line_plot(path, title, x_label, y_label, lines):
    """`lines`: name -> [(x label, y)], all with the same x labels; places are evenly spaced."""
    labels = [label for label, _ in next(iter(lines.values()))]
    top = nice_top(max(y for points in lines.values() for _, y in points))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{title}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{x_label}</text>',
        f'<text x="16" y="{HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 16 {HEIGHT / 2})">{y_label}</text>',
    ]
    for step in range(5):
        value = top * step / 4
        y = place_y(value, top)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,.4g}</text>')
    for place, label in enumerate(labels):
        x = place_x(place, len(labels))
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{label}</text>')
    for number, (name, points) in enumerate(lines.items()):
        parts += one_line(name, points, top, number)
    path.write_text("\n".join([*parts, "</svg>", ""]))


def one_line(name, points, top, number):
    colour = COLOURS[number % len(COLOURS)]
    places = [(place_x(place, len(points)), place_y(y, top)) for place, (_, y) in enumerate(points)]
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{drawn}"/>'
    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
    y = TOP + 10 + 20 * number
    yield f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
    yield f'<text x="{WIDTH - RIGHT + 30}" y="{y}">{name}</text>'


def place_x(place, count):
    return LEFT + (WIDTH - LEFT - RIGHT) * (place + 0.5) / count


def place_y(value, top):
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def nice_top(value):
    unit = 10 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    return next(unit * factor for factor in (1, 2, 3, 4, 5, 6, 8, 10, 20) if unit * factor >= value)
