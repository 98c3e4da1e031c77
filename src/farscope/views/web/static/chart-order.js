// The order of things within each layer, so that few arrows cross; and how far apart they stand then.

const SWEEPS = 8;
const RELAXATIONS = 6;
const ROUNDS = 12; // of placing; after these nothing moves by a pixel any more in charts people draw

/**
 * Order the items of each layer in place.
 *
 * An item has {w, links, up, down}; a link is {upper, lower, upperAt, lowerAt, weight} with the places where it
 * is attached, from the middle of the item.
 */
export function reorder(layers) {
  let best = layers.map((layer) => [...layer]);
  let least = crossings(layers);
  for (let sweep = 0; sweep < SWEEPS && least > 0; sweep += 1) {
    const down = sweep % 2 === 0;
    const walk = down ? layers : [...layers].reverse();
    for (const layer of walk) sortLayer(layer, down);
    const crossed = crossings(layers);
    if (crossed < least) {
      least = crossed;
      best = layers.map((layer) => [...layer]);
    }
  }
  layers.forEach((layer, place) => {
    layer.splice(0, layer.length, ...best[place]);
    number(layer);
  });
}

function number(layer) {
  layer.forEach((item, place) => (item.place = place));
}

function sortLayer(layer, down) {
  const wanted = new Map();
  layer.forEach((item, place) => {
    const ends = (down ? item.up : item.down).map((link) => farPlace(link, down) - nearShare(link, down));
    // Without a neighbour an item keeps its place.
    wanted.set(item, ends.length ? ends.reduce((sum, end) => sum + end, 0) / ends.length : place);
  });
  layer.sort((one, other) => wanted.get(one) - wanted.get(other) || one.place - other.place);
  number(layer);
}

function farPlace(link, down) {
  return down ? share(link.upper, link.upperAt) : share(link.lower, link.lowerAt);
}

function nearShare(link, down) {
  const [item, at] = down ? [link.lower, link.lowerAt] : [link.upper, link.upperAt];
  return share(item, at) - item.place;
}

/** A place in its layer, in items; where it is attached tells the arrows of a wide item apart. */
function share(item, at) {
  return item.place + (item.w > 0 ? (0.9 * at) / item.w : 0);
}

function crossings(layers) {
  let sum = 0;
  for (const layer of layers) {
    number(layer);
  }
  for (const layer of layers) {
    const links = layer.flatMap((item) => item.down.map((link) => [share(item, link.upperAt), share(link.lower, link.lowerAt)]));
    for (let i = 0; i < links.length; i += 1) {
      for (let j = 0; j < i; j += 1) {
        if ((links[i][0] - links[j][0]) * (links[i][1] - links[j][1]) < 0) sum += 1;
      }
    }
  }
  return sum;
}

/** Give every item its x, the middle of it: near its neighbours, in order, never overlapping. */
export function spread(layers, gap) {
  for (const layer of layers) {
    let x = 0;
    layer.forEach((item, place) => {
      if (place > 0) x += (layer[place - 1].w + item.w) / 2 + gap(layer[place - 1], item);
      item.x = x;
    });
    const middle = x / 2;
    for (const item of layer) item.x -= middle;
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    const down = round % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) settle(layer, gap, down, !down);
  }
  relax(layers, gap);
}

/** Move items nearer to their neighbours above and below, from where they are. */
export function relax(layers, gap) {
  for (let round = 0; round < RELAXATIONS; round += 1) {
    for (const layer of round % 2 === 0 ? layers : [...layers].reverse()) settle(layer, gap, true, true);
  }
}

function settle(layer, gap, above, below) {
  const wanted = layer.map((item) => {
    let sum = item.x * 0.01;
    let weight = 0.01;
    if (above) {
      for (const link of item.up) {
        sum += link.weight * (link.upper.x + link.upperAt - link.lowerAt);
        weight += link.weight;
      }
    }
    if (below) {
      for (const link of item.down) {
        sum += link.weight * (link.lower.x + link.lowerAt - link.upperAt);
        weight += link.weight;
      }
    }
    return { at: sum / weight, weight, apart: 0 };
  });
  for (let i = 1; i < layer.length; i += 1) {
    wanted[i].apart = (layer[i - 1].w + layer[i].w) / 2 + gap(layer[i - 1], layer[i]);
  }
  apart(wanted).forEach((x, place) => (layer[place].x = x));
}

/**
 * Return the places nearest to those wanted (by least squares) that keep the order and the distances.
 *
 * @param {Array<{at: number, weight: number, apart: number}>} wanted  `apart` is the distance to the one before
 */
export function apart(wanted) {
  const blocks = [];
  let offset = 0;
  const offsets = [];
  for (const { at, weight, apart: distance } of wanted) {
    offset += distance;
    offsets.push(offset);
    let block = { sum: (at - offset) * weight, weight, count: 1 };
    // Neighbours that would come too near move on as one.
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).weight > block.sum / block.weight) {
      const last = blocks.pop();
      block = { sum: last.sum + block.sum, weight: last.weight + block.weight, count: last.count + block.count };
    }
    blocks.push(block);
  }
  const places = blocks.flatMap((block) => new Array(block.count).fill(block.sum / block.weight));
  return places.map((place, i) => place + offsets[i]);
}
