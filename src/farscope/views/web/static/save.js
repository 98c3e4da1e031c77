// Saves pictures as files.

const SCALE = 2; // a PNG has twice the pixels, so that it is sharp in print

/** Save the text of an SVG. */
export function saveSvg(text, name) {
  save(new Blob([text], { type: "image/svg+xml" }), `${fileName(name)}.svg`);
}

/** Save an SVG as a PNG. */
export async function savePng(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, image.naturalWidth * SCALE);
    canvas.height = Math.max(1, image.naturalHeight * SCALE);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    if (blob) save(blob, `${fileName(name)}.png`);
  } finally {
    URL.revokeObjectURL(url);
  }
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download keeps its own reference to the data once it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Return a file name that is valid everywhere: letters, digits, dashes; not empty, and short. */
function fileName(name) {
  const plain = name.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  return plain || "chart";
}
