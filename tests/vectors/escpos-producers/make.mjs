// Makes the files beside it again: the bytes that other people's ESC/POS libraries send, and receiptline's own
// drawing of its receipts. The tests read the files and need none of this.
//
//   npm install receiptline@4.0.4 node-thermal-printer@4.6.1 @point-of-sale/receipt-printer-encoder@4.0.1
//   node make.mjs                            writes *.bin and *.svg beside this file
//   rsvg-convert -b white X.svg -o X.png     for each SVG; then the SVGs can go (Debian: librsvg2-bin, fonts-noto-cjk)

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(join(process.cwd(), "package.json"));
const here = dirname(fileURLToPath(import.meta.url));
const save = (name, data) => writeFileSync(join(here, name), data);

// --- receiptline: what is printed, and what its author draws for the same document ---

const { transform } = require("receiptline");
const receipts = {
  "receiptline-english": {
    settings: { cpl: 42, encoding: "cp437" },
    text: `{image:iVBORw0KGgoAAAANSUhEUgAAAGAAAAAwAQAAAADGbUJiAAAA2UlEQVR42o3SQYrCQBCF4b+KgIEBx50wCMkx3OkRPMAcwKU3sI8wR8pNJkdIdi1InovWpHBlr/rjQVFd1SaW43yKsQ74u82RJjioHJTh+wknQ2Y0M2udAe5zgR6mGR2o1AABXMdGUuMC6LjEdvYAPgH07GKyBvA7wMBXCol3AdYDngEyXOJL9xE/EduIKgV4F2B9nNs54he8BqhLq0uyiqgSXgFsSu0lsRPuAG1pNexnhxvA8TkGJUCjpNw4RzBkZjVOG6bCBqpyH+Lm/t92qoQWDKsX7LOP9AC9P2q0sk3fgwAAAABJRU5ErkJggg==}

^^^RECEIPT
03/18/2024, 12:34:56 PM
{border:line; width:*,6,10}
Beer | 2 | 12.98
"Chips | 1 | 3.50
_Bread_ | 1 | 2.20
-
{width:*,20}
^TOTAL | ^18.68
CASH | 20.00
\`CHANGE\` | 1.32
{border:space; width:auto}
{code:1234567890128; option:ean,2,72,hri}
{code:https://receiptline.example/1; option:qrcode,4,m}`,
  },
  "receiptline-chinese": {
    settings: { cpl: 48, encoding: "gb18030", spacing: true },
    text: `^^^签购单
北京市海淀区中关村大街一号
电话 010-12345678
-
{width:24,8,*}
商品名称 | 数量 | 金额
-
"绿茶 | 2 | 12.00
苹果（红富士） | 1 | 8.50
牛奶 | 3 | 36.90
-
{width:*,16}
合计 | ^57.40
_应收_ | 57.40
\`已付款\` | 
谢谢惠顾，欢迎再次光临
{code:20240318001; option:code128,2,60,hri}`,
  },
};
for (const [name, { settings, text }] of Object.entries(receipts)) {
  const bytes = transform(text, { ...settings, command: "escpos", cutting: true });
  save(`${name}.bin`, Buffer.from(bytes, "latin1"));
  save(`${name}.svg`, transform(text, { ...settings, command: "svg" }));
}

// --- node-thermal-printer ---

const { ThermalPrinter, PrinterTypes, CharacterSet } = require("node-thermal-printer");
const printer = new ThermalPrinter({
  type: PrinterTypes.EPSON, interface: "tcp://127.0.0.1:1", width: 48, characterSet: CharacterSet.PC858_EURO,
});
printer.alignCenter();
printer.setTextDoubleHeight();
printer.bold(true);
printer.println("CORNER SHOP");
printer.bold(false);
printer.setTextNormal();
printer.println("Café Müller, 5 €");
printer.drawLine();
printer.alignLeft();
printer.leftRight("Espresso", "2.40");
printer.tableCustom([
  { text: "Croissant", align: "LEFT", width: 0.5 },
  { text: "2", align: "CENTER", width: 0.2 },
  { text: "5.20", align: "RIGHT", width: 0.25, bold: true },
]);
printer.underline(true);
printer.println("underlined");
printer.underline(false);
printer.invert(true);
printer.println("inverse");
printer.invert(false);
printer.upsideDown(true);
printer.println("upside down");
printer.upsideDown(false);
printer.setTextQuadArea();
printer.println("QUAD");
printer.setTextSize(2, 3);
printer.println("3x4");
printer.setTextNormal();
printer.setTypeFontB();
printer.println("font B is small");
printer.setTypeFontA();
printer.code128("NTP-12345", { width: "MEDIUM", height: 60, text: 2 });
printer.printQR("https://node.example/thermal", { cellSize: 4, correction: "M" });
printer.maxiCode("maxi");
printer.pdf417("pdf417 data");
printer.openCashDrawer();
printer.beep(2, 3);
printer.cut();
save("node-thermal-printer.bin", printer.getBuffer());

// --- @point-of-sale/receipt-printer-encoder ---

const encoderModule = require("@point-of-sale/receipt-printer-encoder");
const ReceiptPrinterEncoder = encoderModule.default ?? encoderModule;
const image = { width: 64, height: 32, data: new Uint8ClampedArray(64 * 32 * 4) };
for (let y = 0; y < 32; y++) {
  for (let x = 0; x < 64; x++) {
    const black = x < y * 2;
    image.data.set(black ? [0, 0, 0, 255] : [255, 255, 255, 255], (y * 64 + x) * 4);
  }
}
for (const imageMode of ["column", "raster"]) {
  const encoder = new ReceiptPrinterEncoder({ language: "esc-pos", columns: 48, imageMode });
  const bytes = encoder
    .initialize()
    .codepage("auto")
    .align("center")
    .bold(true).size(2, 2).line("RECEIPT").size(1, 1).bold(false)
    .line("žluťoučký kůň, Ελληνικά, 10 €")
    .align("left")
    .rule({ style: "double" })
    .table(
      [{ width: 30, align: "left" }, { width: 16, align: "right", marginLeft: 2 }],
      [["Item one", "10.00"], ["Item two", "12.50"], [(e) => e.bold(true).text("Total").bold(false), "22.50"]],
    )
    .box({ width: 40, align: "center", style: "single" }, "in a box")
    .underline(true).text("underline").underline(false).text(" ")
    .invert(true).text("invert").invert(false).newline()
    .font("B").line("the other font").font("A")
    .image(image, 64, 32, "threshold")
    .barcode("3130630574613", "ean13", { height: 60, text: true })
    .barcode("ABC-1234", "code39", { height: 60, width: 2 })
    .qrcode("https://encoder.example/", { model: 2, size: 5, errorlevel: "q" })
    .pulse()
    .cut("partial")
    .encode();
  save(`receipt-printer-encoder-${imageMode}.bin`, Buffer.from(bytes));
}
