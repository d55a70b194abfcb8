"use strict";

const flip = document.getElementById("flip");
if (flip) {
  const button = document.getElementById("flip-button");
  flip.classList.add("ready");
  button.hidden = false;
  button.addEventListener("click", () => {
    const back = flip.classList.toggle("back");
    button.setAttribute("aria-pressed", String(back));
    button.textContent = back ? "Show after registration" : "Show before registration";
  });
}

addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));

const facts = document.getElementById("viewer-facts");
if (facts) {
  const stage = document.getElementById("stage");
  const canWebGL = Boolean(document.createElement("canvas").getContext("webgl2"));
  if (!canWebGL) {
    stage.hidden = true;
    document.getElementById("no-viewer").hidden = false;
  } else {
    const seen = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        seen.disconnect();
        openViewer(JSON.parse(facts.textContent), stage);
      }
    });
    seen.observe(stage);
  }
}

const OPACITY = { scan: 1, labels: 0.5, map: 0.6, mask: 0.35 };

async function openViewer(told, stage) {
  const canvas = document.getElementById("canvas");
  const place = document.getElementById("place");
  place.textContent = "The scans are being unpacked.";
  const layers = [];
  for (const [number, layer] of told.layers.entries()) {
    const content = await unpack(document.getElementById("volume-" + number).textContent);
    const codes = layer.grid.bits === 8 ? new Uint8Array(content, 352) : new Uint16Array(content, 352);
    layers.push({ ...layer, number, codes, content, image: null, on: layer.kind === "labels", opacity: OPACITY[layer.kind] });
  }
  const scans = layers.filter((layer) => layer.kind === "scan");
  let scan = scans.find((layer) => layer.title === "t1c") || scans[0];
  let voxel = told.start.slice();

  const viewer = new niivue.Niivue({
    isRadiologicalConvention: true, sagittalNoseLeft: true, multiplanarShowRender: 0, isColorbar: false,
    dragAndDropEnabled: false, loadingText: "", logLevel: "error", crosshairColor: [0.34, 0.71, 0.91, 1],
    crosshairWidth: 0.5, crosshairGap: 3, isCornerOrientationText: true, backColor: [0, 0, 0, 1], fontColor: [1, 1, 1, 1], isNearestInterpolation: false,
  });
  canvas.addEventListener("keydown", move);
  await viewer.attachToCanvas(canvas);
  viewer.setSliceType(viewer.sliceTypeMultiplanar);
  viewer.setCustomLayout([
    { sliceType: viewer.sliceTypeAxial, position: [0, 0, 0.6, 1] },
    { sliceType: viewer.sliceTypeCoronal, position: [0.6, 0, 0.4, 0.5] },
    { sliceType: viewer.sliceTypeSagittal, position: [0.6, 0.5, 0.4, 0.5] },
  ]);
  makePanel();
  await draw();
  viewer.onLocationChange = () => {
    const kept = viewer.frac2vox(viewer.scene.crosshairPos);
    voxel = [0, 1, 2].map((axis) => told.offset[axis] + told.step[axis] * Math.round(kept[axis]));
    read();
  };
  go(told.start);
  stage.dataset.ready = "yes";

  async function draw() {
    const shown = [scan, ...layers.filter((layer) => layer.kind !== "scan" && layer.on)];
    for (const layer of shown) {
      layer.image = layer.image || await imageOf(layer);
      layer.image.opacity = layer.kind === "scan" ? 1 : layer.opacity;
    }
    viewer.volumes = shown.map((layer) => layer.image);
    viewer.setVolume(scan.image, 0);
  }

  async function imageOf(layer) {
    const map = "layer-" + layer.number;
    const overlay = layer.kind === "map" || layer.kind === "mask";
    const content = overlay ? asShades(layer) : layer.content;
    if (overlay) viewer.addColormap(map, shadesOf(layer));
    const ends = overlay ? [0, 255] : [layer.low, layer.high];
    const image = await niivue.NVImage.new(content, layer.title + ".nii", overlay ? map : "gray", 1, null, ends[0], ends[1], true);
    if (layer.kind === "labels") image.setColormapLabel(labelColours(layer));
    return image;
  }

  function makePanel() {
    for (const layer of scans) {
      const input = make("input", { type: "radio", name: "scan", checked: layer === scan, value: layer.title });
      input.addEventListener("change", () => { scan = layer; draw().then(() => go(voxel)); });
      const line = make("div", { className: "layer" }, [make("label", {}, [input, " " + layer.title]), output(layer)]);
      document.getElementById("scans").append(line, bar(layer));
    }
    for (const layer of layers.filter((one) => one.kind !== "scan")) {
      const input = make("input", { type: "checkbox", checked: layer.on });
      const opacity = make("input", { type: "range", min: 0, max: 100, value: 100 * layer.opacity });
      opacity.setAttribute("aria-label", "Opacity of " + layer.title);
      input.addEventListener("change", () => { layer.on = input.checked; draw(); });
      opacity.addEventListener("input", () => { layer.opacity = opacity.value / 100; draw(); });
      const box = make("fieldset", { id: "layer-" + layer.number }, [
        make("legend", {}, [make("label", {}, [input, " " + layer.title])]),
        make("label", {}, ["opacity ", opacity]), output(layer), layer.kind === "map" ? bar(layer) : key(layer),
      ]);
      document.getElementById("layers").append(box);
    }
    "ijk".split("").forEach((name, axis) => {
      const input = document.getElementById("voxel-" + name);
      [input.min, input.max] = told.box[axis];
    });
    document.getElementById("jump").addEventListener("submit", (event) => {
      event.preventDefault();
      go("ijk".split("").map((name) => document.getElementById("voxel-" + name).valueAsNumber || 0));
    });
    document.getElementById("home").addEventListener("click", () => go(told.start));
  }

  function output(layer) {
    layer.output = make("output", { className: "value" });
    layer.output.dataset.layer = layer.title;
    return layer.output;
  }

  function move(event) {
    const steps = {
      ArrowLeft: [1, 0, 0], ArrowRight: [-1, 0, 0], ArrowUp: [0, 1, 0], ArrowDown: [0, -1, 0], PageUp: [0, 0, 1], PageDown: [0, 0, -1],
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    go(voxel.map((index, axis) => index + step[axis] * told.step[axis]));
  }

  function go(wanted) {
    const kept = wanted.map((index, axis) => {
      const inside = Math.min(Math.max(index, told.box[axis][0]), told.box[axis][1]);
      return Math.min(Math.round((inside - told.offset[axis]) / told.step[axis]), scan.grid.shape[axis] - 1);
    });
    voxel = kept.map((index, axis) => told.offset[axis] + told.step[axis] * index);
    viewer.scene.crosshairPos = viewer.vox2frac(kept);
    viewer.drawScene();
    read();
  }

  function read() {
    const mm = apply(told.affine, voxel);
    let label = "";
    for (const layer of layers) {
      const code = codeAt(layer, mm);
      layer.output.textContent = worded(layer, code);
      if (layer.kind === "labels") label = ", " + layer.output.textContent;
    }
    const sides = [["R", "L"], ["A", "P"], ["S", "I"]];
    const where = mm.map((value, axis) => sides[axis][value < 0 ? 1 : 0] + " " + Math.abs(value).toFixed(1) + " mm").join(", ");
    place.textContent = "Voxel " + voxel.join(", ") + " (" + where + ")" + label;
    "ijk".split("").forEach((name, axis) => { document.getElementById("voxel-" + name).value = voxel[axis]; });
  }
}

async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

function apply(matrix, point) {
  return [0, 1, 2].map((row) => matrix[row][3] + point.reduce((sum, value, column) => sum + matrix[row][column] * value, 0));
}

function codeAt(layer, mm) {
  const [x, y, z] = apply(layer.grid.inverse, mm).map(Math.round);
  const [nx, ny, nz] = layer.grid.shape;
  const inside = x >= 0 && y >= 0 && z >= 0 && x < nx && y < ny && z < nz;
  return inside ? layer.codes[x + nx * (y + ny * z)] : null;
}

function valueOf(layer, code) {
  return layer.grid.slope * code + layer.grid.intercept;
}

function worded(layer, code) {
  const grid = layer.grid;
  if (code === null) return "not here";
  if (grid.sparse && code === 0) return layer.kind === "scan" ? "not kept" : "never";
  if (layer.kind === "labels") return code + " " + (layer.names[code] || "unknown");
  if (layer.kind === "mask") return layer.names[code];
  const value = valueOf(layer, code);
  const digits = grid.precision ? Math.min(6, Math.max(0, Math.ceil(-Math.log10(grid.precision)))) : 0;
  const last = grid.bits === 8 ? 255 : 65535;
  const end = grid.clipped ? (code === 1 ? "≤ " : code === last ? "≥ " : "") : "";
  const range = grid.precision ? " ± " + grid.precision.toPrecision(1) : "";
  return end + value.toFixed(digits) + range + (layer.unit ? " " + layer.unit : "");
}

// A map is drawn in 255 shades of which 0 is see-through. Of times the early ones are the high shades, so that
// the border to what is never reached is not blended into them.
function asShades(layer) {
  const content = layer.content.slice(0, 352 + layer.codes.length);
  const header = new DataView(content), shades = new Uint8Array(content, 352);
  header.setInt16(70, 2, true);
  header.setInt16(72, 8, true);
  header.setFloat32(112, 1, true);
  header.setFloat32(116, 0, true);
  for (let place = 0; place < shades.length; place += 1) {
    const code = layer.codes[place];
    if (layer.kind === "mask") {
      shades[place] = 255 * code;
    } else if (layer.grid.sparse ? code === 0 : valueOf(layer, code) <= layer.low) {
      shades[place] = 0;
    } else {
      const share = Math.min(1, Math.max(0, (valueOf(layer, code) - layer.low) / (layer.high - layer.low)));
      shades[place] = 1 + Math.round(254 * (layer.grid.sparse ? 1 - share : share));
    }
  }
  return content;
}

function parts(colour) {
  return [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
}

function shadesOf(layer) {
  const given = layer.kind === "mask" ? [layer.colours[0], layer.colours[0]] : layer.colours;
  const colours = (layer.grid.sparse ? given.slice().reverse() : given).map(parts);
  const places = colours.map((_, number) => Math.round(1 + 254 * number / (colours.length - 1)));
  const column = (channel) => [colours[0][channel], ...colours.map((colour) => colour[channel])];
  const opaque = layer.kind === "mask" ? [0, 0, 255] : [0, ...colours.map(() => 255)];
  return { R: column(0), G: column(1), B: column(2), A: opaque, I: [0, ...places] };
}

function labelColours(layer) {
  const colours = [[0, 0, 0], ...layer.colours.map(parts)];
  const column = (channel) => colours.map((colour) => colour[channel]);
  return { R: column(0), G: column(1), B: column(2), A: [0, ...layer.colours.map(() => 255)], I: colours.map((_, number) => number), labels: colours.map((_, number) => layer.names[number] || "") };
}

function make(tag, properties, children = []) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function bar(layer) {
  const colours = make("i", {});
  colours.style.background = "linear-gradient(to right, " + layer.colours.join(", ") + ")";
  const ends = [layer.low, layer.high].map((value) => Number(value.toPrecision(3)).toString());
  return make("div", { className: "bar" }, [ends[0], colours, ends[1] + (layer.unit ? " " + layer.unit : "")]);
}

function key(layer) {
  const entries = layer.kind === "mask" ? [[layer.colours[0], "inside"]] : layer.colours.map((colour, number) => [colour, layer.names[number + 1]]);
  const lines = entries.filter((entry) => entry[1]).map((entry) => {
    const swatch = make("i", {});
    swatch.style.background = entry[0];
    return make("li", {}, [swatch, entry[1]]);
  });
  return make("ul", { className: "key" }, lines);
}
